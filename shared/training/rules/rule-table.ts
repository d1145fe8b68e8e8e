import { normalDomain } from '../model/source-graph.ts';
import { activationRules } from './activation.ts';
import { attentionRules } from './attention.ts';
import { batchNormalisationRules } from './batch-normalisation.ts';
import { convolutionRules } from './convolution.ts';
import { dropoutRules } from './dropout.ts';
import { einsumRules } from './einsum.ts';
import { elementwiseRules } from './elementwise.ts';
import { indexingRules } from './indexing.ts';
import { joiningRules } from './joining.ts';
import { linearRules } from './linear.ts';
import { mathRules } from './math.ts';
import { normalisationRules } from './normalisation.ts';
import { poolingRules } from './pooling.ts';
import { recurrentRules } from './recurrent.ts';
import { reductionRules } from './reduction.ts';
import { resizeRules } from './resize.ts';
import type { Rule } from './rule.ts';
import { softmaxRules } from './softmax.ts';
import { structureRules } from './structure.ts';

/** Every operator that can stand between a parameter and the loss, by `domain:operator`. */
export const ruleTable: ReadonlyMap<string, Rule> = new Map(
  [
    ...linearRules,
    ...elementwiseRules,
    ...mathRules,
    ...activationRules,
    ...reductionRules,
    ...structureRules,
    ...joiningRules,
    ...indexingRules,
    ...resizeRules,
    ...dropoutRules,
    ...convolutionRules,
    ...poolingRules,
    ...batchNormalisationRules,
    ...normalisationRules,
    ...softmaxRules,
    ...einsumRules,
    ...attentionRules,
    ...recurrentRules,
  ].map((rule) => [ruleKey(rule.domain, rule.operator), rule]),
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
