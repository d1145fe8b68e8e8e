import type { RqlCondition } from '../twin/query/rql.ts';
import type { FeedbackRule } from './feedback-rule.ts';

export interface RuleFault {
  /** Of the rule to mend. */
  readonly index: number;
  readonly message: string;
}

/** Two rules that set the same property would undo each other's work. */
export function findConflict(rules: readonly FeedbackRule[]): RuleFault | undefined {
  for (const [index, rule] of rules.entries()) {
    const other = rules
      .slice(0, index)
      .find(
        (earlier) =>
          earlier.set.property === rule.set.property && meet(target(earlier), target(rule)),
      );
    if (other === undefined) continue;
    const mend = 'join their conditions in one rule with or(…)';
    const message = `${rule.name} and ${other.name} set ${rule.set.property}; ${mend}`;
    return { index, message };
  }
  return undefined;
}

/**
 * A rule whose outcome could reach its own condition: by the desired property it sets, by the
 * reported one that follows it, or by way of other rules.
 */
export function findLoop(rules: readonly FeedbackRule[]): RuleFault | undefined {
  const feeds = rules.map((rule) =>
    rules.flatMap((other, index) => (isFed(other, rule) ? [index] : [])),
  );
  for (const index of rules.keys()) {
    const way = wayBack(feeds, index);
    if (way === undefined) continue;
    const names = way.map((each) => rules[each]!.name).join(' -> ');
    const message = `it feeds its own condition: ${names}; read something that no rule sets`;
    return { index, message };
  }
  return undefined;
}

/** The shortest way from a rule back to itself. */
function wayBack(feeds: readonly (readonly number[])[], start: number): number[] | undefined {
  const ways: number[][] = [[start]];
  const seen = new Set<number>();
  for (const way of ways) {
    for (const next of feeds[way.at(-1)!]!) {
      if (next === start) return [...way, next];
      if (!seen.has(next)) ways.push([...way, next]);
      seen.add(next);
    }
  }
  return undefined;
}

function isFed(reader: FeedbackRule, writer: FeedbackRule): boolean {
  if (!meet(reader.device, target(writer))) return false;
  const [feature = '', property = ''] = writer.set.property.split('/');
  const written = ['properties', 'desiredProperties'].map((part) => [
    'features',
    feature,
    part,
    property,
  ]);
  return pathsRead(reader).some(
    (path) => isOfEveryChange(path) || written.some((other) => overlap(path, other)),
  );
}

function target({ device, set }: FeedbackRule): string {
  return set.device ?? device;
}

function meet(device: string, other: string): boolean {
  return device === other || device === '*' || other === '*';
}

/** `_revision`, `_modified` and the like change with whatever is written. */
function isOfEveryChange([first = '']: readonly string[]): boolean {
  return first.startsWith('_');
}

/** Whether one path is the other, or is inside it; `*` is any feature. */
function overlap(path: readonly string[], other: readonly string[]): boolean {
  const levels = Math.min(path.length, other.length);
  return path
    .slice(0, levels)
    .every((key, level) => key === other[level] || (level === 1 && key === '*'));
}

function pathsRead({ when, until, threshold }: FeedbackRule): (readonly string[])[] {
  const [feature = '', property = ''] = threshold?.property.split('/') ?? [];
  return [
    ...(threshold === undefined ? [] : [['features', feature, 'properties', property]]),
    ...[when, until].flatMap((condition) => (condition === undefined ? [] : paths(condition))),
  ];
}

function paths(condition: RqlCondition): (readonly string[])[] {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.parts.flatMap(paths);
    case 'not':
      return paths(condition.part);
    default:
      return [condition.property];
  }
}
