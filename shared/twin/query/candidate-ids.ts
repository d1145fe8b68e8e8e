import type { RqlCondition } from './rql.ts';

/**
 * The ids of the only things of which a condition can hold, where it says so: a search by id need
 * not look at all others. `undefined`: it may hold of any.
 */
export function candidateIds(condition: RqlCondition): Ids {
  switch (condition.kind) {
    case 'eq':
      return isThingId(condition.property) ? idsOf([condition.value]) : undefined;
    case 'in':
      return isThingId(condition.property) ? idsOf(condition.values) : undefined;
    case 'and':
      return condition.parts.map(candidateIds).reduce(fewer);
    case 'or':
      return condition.parts.map(candidateIds).reduce(both);
    default:
      return undefined;
  }
}

type Ids = ReadonlySet<string> | undefined;

function fewer(a: Ids, b: Ids): Ids {
  if (a === undefined || b === undefined) return a ?? b;
  return b.size < a.size ? b : a;
}

function both(a: Ids, b: Ids): Ids {
  return a === undefined || b === undefined ? undefined : a.union(b);
}

function isThingId([key, ...rest]: readonly string[]): boolean {
  return key === 'thingId' && rest.length === 0;
}

function idsOf(values: readonly unknown[]): ReadonlySet<string> {
  return new Set(values.filter((value) => typeof value === 'string'));
}
