import type { Result } from '../../basics/result.ts';
import { type Comparison, comparisons, type RqlCondition, type RqlValue } from './rql.ts';
import { checkLength, type RqlFailure, RqlScanner } from './rql-scanner.ts';

const LENGTH_MAX = 8192;
const DEPTH_MAX = 16;
/** Operators and values together: what one evaluation costs is bounded by it. */
const PARTS_MAX = 256;

/**
 * Reads a condition of Eclipse Ditto's RQL (its documentation, "RQL expressions"): `eq ne gt ge lt
 * le in like ilike exists empty and or not`. White space may stand between any two words, and
 * numbers may have an exponent. Placeholders (`time:now`, `topic:…`) are not read.
 */
export function parseRql(text: string): Result<RqlCondition, RqlFailure> {
  const checked = checkLength(text, LENGTH_MAX);
  if (!checked.ok) return checked;
  const scanner = new RqlScanner(text);
  return scanner.finish(readCondition(scanner, { depth: 0, parts: { left: PARTS_MAX } }));
}

interface Budget {
  readonly depth: number;
  readonly parts: { left: number };
}

function readCondition(scanner: RqlScanner, budget: Budget): RqlCondition | undefined {
  if (budget.depth >= DEPTH_MAX) return scanner.refuse(`more than ${DEPTH_MAX} levels deep`);
  if (!takePart(scanner, budget)) return undefined;
  const kind = scanner.word();
  if (!isOperator(kind)) {
    return scanner.refuse(
      `"${kind.slice(0, 20)}" is no operator; use one of ${operators.join(' ')}`,
    );
  }
  if (!scanner.demand('(')) return undefined;
  const condition = readArguments(scanner, kind, { ...budget, depth: budget.depth + 1 });
  return condition !== undefined && scanner.demand(')') ? condition : undefined;
}

const operators = [
  ...comparisons,
  'in',
  'like',
  'ilike',
  'exists',
  'empty',
  'and',
  'or',
  'not',
] as const;
type Operator = (typeof operators)[number];

function isOperator(word: string): word is Operator {
  return (operators as readonly string[]).includes(word);
}

function readArguments(
  scanner: RqlScanner,
  kind: Operator,
  budget: Budget,
): RqlCondition | undefined {
  if (kind === 'and' || kind === 'or') {
    const parts = readList(scanner, () => readCondition(scanner, budget));
    return parts === undefined ? undefined : { kind, parts };
  }
  if (kind === 'not') {
    const part = readCondition(scanner, budget);
    return part === undefined ? undefined : { kind, part };
  }
  const property = scanner.property();
  if (property === undefined) return undefined;
  if (kind === 'exists' || kind === 'empty') return { kind, property };
  if (!scanner.demand(',')) return undefined;
  if (kind === 'in') {
    const values = readList(scanner, () => readValue(scanner, budget));
    return values === undefined ? undefined : { kind, property, values };
  }
  const value = scanner.value();
  if (value === undefined) return undefined;
  return compared(scanner, kind, { property, value });
}

function compared(
  scanner: RqlScanner,
  kind: Comparison | 'like' | 'ilike',
  { property, value }: { property: readonly string[]; value: RqlValue },
): RqlCondition | undefined {
  if (kind !== 'like' && kind !== 'ilike') return { kind, property, value };
  if (typeof value === 'string') return { kind, property, pattern: value };
  return scanner.refuse(`${kind} takes a quoted pattern`);
}

function readList<T>(scanner: RqlScanner, read: () => T | undefined): T[] | undefined {
  const list: T[] = [];
  do {
    const each = read();
    if (each === undefined) return undefined;
    list.push(each);
  } while (scanner.accept(','));
  return list;
}

function readValue(scanner: RqlScanner, budget: Budget): RqlValue | undefined {
  return takePart(scanner, budget) ? scanner.value() : undefined;
}

function takePart(scanner: RqlScanner, { parts }: Budget): boolean {
  parts.left -= 1;
  if (parts.left < 0) scanner.refuse(`more than ${PARTS_MAX} operators and values`);
  return parts.left >= 0;
}
