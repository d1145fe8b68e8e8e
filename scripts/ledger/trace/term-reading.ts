import { isMap, isSet, type Term, TraceError, textOf, type Variant } from './itf.ts';

/** Readers of a trace's values; each throws a {@link TraceError} that names what it wanted. */
export function field(term: Term | undefined, name: string): Term {
  const value = isRecord(term) ? term[name] : undefined;
  if (value === undefined) throw wrong(`a record with the field ${name}`, term);
  return value;
}

export function integer(term: Term | undefined): number {
  if (typeof term !== 'number' || !Number.isInteger(term)) throw wrong('a whole number', term);
  return term;
}

export function text(term: Term | undefined): string {
  if (typeof term !== 'string') throw wrong('a text', term);
  return term;
}

export function list(term: Term | undefined): readonly Term[] {
  if (!Array.isArray(term)) throw wrong('a list or tuple', term);
  return term;
}

export function members(term: Term | undefined): readonly Term[] {
  if (!isSet(term)) throw wrong('a set', term);
  return term['#set'];
}

export function entries(term: Term | undefined): readonly (readonly [Term, Term])[] {
  if (!isMap(term)) throw wrong('a map', term);
  return term['#map'];
}

export function variant(term: Term | undefined): Variant {
  if (!isRecord(term) || typeof term.tag !== 'string') throw wrong('a variant', term);
  const { tag, value } = term;
  return value === undefined ? { tag } : { tag, value };
}

function isRecord(term: Term | undefined): term is { readonly [field: string]: Term } {
  return typeof term === 'object' && !Array.isArray(term) && !isSet(term) && !isMap(term);
}

function wrong(wanted: string, term: Term | undefined): TraceError {
  const found = term === undefined ? 'nothing' : textOf(term).slice(0, 200);
  return new TraceError(`expected ${wanted}, found ${found}`);
}
