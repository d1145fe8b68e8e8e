import { normalDomain } from '../model/source-graph.ts';
import { activationRules } from './activation.ts';
import { elementwiseRules } from './elementwise.ts';
import { linearRules } from './linear.ts';
import type { Rule } from './rule.ts';
import { structureRules } from './structure.ts';

/** Every operator that can stand between a parameter and the loss, by `domain:operator`. */
export const ruleTable: ReadonlyMap<string, Rule> = new Map(
  [...linearRules, ...elementwiseRules, ...activationRules, ...structureRules].map((rule) => [
    ruleKey(rule.domain, rule.operator),
    rule,
  ]),
);

/** The rule for an operator, where there is one for this version of its domain. */
export function findRule(
  { domain, opType }: { readonly domain: string; readonly opType: string },
  opset: number,
): Rule | undefined {
  const rule = ruleTable.get(ruleKey(normalDomain(domain), opType));
  if (rule === undefined) return undefined;
  return opset >= rule.opsets.oldest && opset <= rule.opsets.newest ? rule : undefined;
}

function ruleKey(domain: string, operator: string): string {
  return `${domain}:${operator}`;
}
