/**
 * A value of a trace in the Informal Trace Format (Apalache ADR 015): numbers, tuples and lists are
 * plain, sets and maps keep their marks, and a variant without a payload has none.
 */
export type Term =
  | string
  | number
  | boolean
  | readonly Term[]
  | TermSet
  | TermMap
  | { readonly [field: string]: Term };

export interface TermSet {
  readonly '#set': readonly Term[];
}

export interface TermMap {
  readonly '#map': readonly (readonly [Term, Term])[];
}

export interface Variant {
  readonly tag: string;
  readonly value?: Term;
}

export interface Trace {
  /** Each state by the last part of its variables' names. */
  readonly states: readonly Readonly<Record<string, Term>>[];
}

/** Thrown where a trace is not what it should be; the message says where. */
export class TraceError extends Error {
  override readonly name = 'TraceError';
}

export function parseTrace(text: string): Trace {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new TraceError('the file is not JSON', { cause });
  }
  if (!isRecord(json) || !Array.isArray(json.states) || json.states.length === 0) {
    throw new TraceError('the file is not a trace: it has no states');
  }
  return {
    states: json.states.map((state: unknown, index) => {
      if (!isRecord(state)) throw new TraceError(`state ${index} is not a record`);
      // Notes of the tool that made the trace, on the state or on the choices that led to it.
      const variables = Object.entries(state).filter(([name]) => !/^(?:#meta|mbt::.*)$/.test(name));
      return Object.fromEntries(
        variables.map(([name, value]) => [name.split('::').at(-1)!, toTerm(value)]),
      );
    }),
  };
}

export function set(members: Iterable<Term>): TermSet {
  return { '#set': [...members] };
}

export function map(entries: Iterable<readonly [Term, Term]>): TermMap {
  return { '#map': [...entries] };
}

/** One text for equal terms, whatever the order of fields and members. */
export function textOf(term: Term): string {
  if (typeof term !== 'object') return JSON.stringify(term);
  if (isList(term)) return `[${term.map(textOf).join()}]`;
  if (isSet(term)) return `{${[...new Set(term['#set'].map(textOf))].sort().join()}}`;
  if (isMap(term)) {
    return `{${term['#map'].map(([key, value]) => `${textOf(key)}->${textOf(value)}`).sort()}}`;
  }
  const fields = Object.entries(term).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, value]) => `${name}:${textOf(value)}`).join()}}`;
}

export function isSet(term: Term | undefined): term is TermSet {
  return typeof term === 'object' && '#set' in term;
}

export function isMap(term: Term | undefined): term is TermMap {
  return typeof term === 'object' && '#map' in term;
}

/** Where and how two terms first differ, as `path: expected ..., is ...`; undefined if equal. */
export function differenceOf(expected: Term, actual: Term, path: string): string | undefined {
  if (textOf(expected) === textOf(actual)) return undefined;
  const [a, b] = [partsOf(expected), partsOf(actual)];
  if (a !== undefined && b !== undefined) {
    for (const name of new Set([...a.keys(), ...b.keys()])) {
      const [left, right] = [a.get(name), b.get(name)];
      if (left === undefined) return `${path}${name}: the trace has nothing, is ${short(right!)}`;
      if (right === undefined) return `${path}${name}: the trace has ${short(left)}, is nothing`;
      const difference = differenceOf(left, right, `${path}${name}`);
      if (difference !== undefined) return difference;
    }
  }
  return `${path}: the trace has ${short(expected)}, is ${short(actual)}`;
}

/** The parts of a compound by their step of the path; of a set, its members by their text. */
function partsOf(term: Term): Map<string, Term> | undefined {
  if (typeof term !== 'object') return undefined;
  if (isList(term)) return new Map(term.map((part, index) => [`[${index}]`, part]));
  if (isSet(term)) return new Map(term['#set'].map((part) => [`{${textOf(part)}}`, part]));
  if (isMap(term)) {
    return new Map(term['#map'].map(([key, value]) => [`[${textOf(key)}]`, value]));
  }
  return new Map(Object.entries(term).map(([name, part]) => [`.${name}`, part]));
}

function short(term: Term): string {
  const text = textOf(term);
  return text.length <= 200 ? text : `${text.slice(0, 200)}...`;
}

function toTerm(json: unknown): Term {
  if (typeof json === 'string' || typeof json === 'boolean') return json;
  if (typeof json === 'number') return json;
  if (Array.isArray(json)) return json.map(toTerm);
  if (!isRecord(json)) throw new TraceError(`${JSON.stringify(json)} is no value of a trace`);
  if ('#bigint' in json) return toInteger(json['#bigint']);
  if (Array.isArray(json['#tup'])) return json['#tup'].map(toTerm);
  if (Array.isArray(json['#set'])) return set(json['#set'].map(toTerm));
  if (Array.isArray(json['#map'])) {
    return map(json['#map'].map((entry) => toTerm(entry) as unknown as readonly [Term, Term]));
  }
  if (typeof json.tag === 'string' && isUnit(json.value)) return { tag: json.tag };
  return Object.fromEntries(Object.entries(json).map(([name, part]) => [name, toTerm(part)]));
}

function isUnit(json: unknown): boolean {
  if (!isRecord(json)) return json === undefined;
  return textOf(toTerm(json)) === '[]' || json.tag === 'UNIT' || Object.keys(json).length === 0;
}

function toInteger(digits: unknown): number {
  const number = Number(digits);
  if (!Number.isSafeInteger(number)) throw new TraceError(`${digits} is no whole number in reach`);
  return number;
}

function isList(term: Term): term is readonly Term[] {
  return Array.isArray(term);
}

function isRecord(json: unknown): json is Record<string, unknown> {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}
