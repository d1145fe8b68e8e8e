import { type Failure, ok, type Result } from '../../basics/result.ts';
import { parsePointer } from '../document/json-pointer.ts';
import type { RqlValue } from './rql.ts';

/** Where a text stops being RQL: `position` counts UTF-16 units from 0. */
export type RqlFailure = Failure<'rql-invalid'> & { readonly position: number };

const ESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const WHITE_SPACE = /[ \n\r\t\f]*/y;
const WORD = /[a-z]*/y;
const NUMBER = /[+-]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y;
const LITERAL = /(?:true|false|null)(?!\w)/y;
const FOUND_SHOWN_MAX = 12;

/**
 * Reads RQL's words from a text. What cannot be read gives `undefined`, and the first such place is
 * the failure; so a caller need only hand `undefined` on.
 */
export class RqlScanner {
  readonly #text: string;
  #position = 0;
  #failure: RqlFailure | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** The result of a whole parse: what was read, if nothing is left behind it. */
  finish<T>(value: T | undefined): Result<T, RqlFailure> {
    if (value !== undefined && this.#failure === undefined) {
      this.#skipSpace();
      if (this.#position === this.#text.length) return ok(value);
      this.expected('the end');
    }
    return { ok: false, error: this.#failure! };
  }

  /** Remembers the first place where something else stands than what was expected. */
  expected(what: string): undefined {
    const rest = this.#text.slice(this.#position, this.#position + FOUND_SHOWN_MAX);
    const found = rest === '' ? 'the end' : JSON.stringify(rest);
    this.refuse(`expected ${what}, found ${found}`);
    return undefined;
  }

  refuse(reason: string): undefined {
    const position = this.#position;
    this.#failure ??= {
      code: 'rql-invalid',
      message: `RQL, at character ${position}: ${reason}`,
      position,
    };
    return undefined;
  }

  /** Whether the character stands next; if so, it is passed. */
  accept(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#position] !== character) return false;
    this.#position += 1;
    return true;
  }

  demand(character: string): true | undefined {
    return this.accept(character) ? true : this.expected(`"${character}"`);
  }

  /** A word of small letters; empty where none stands. */
  word(): string {
    this.#skipSpace();
    return this.#match(WORD);
  }

  /** A property's path, up to a comma or a closing parenthesis. */
  property(): readonly string[] | undefined {
    const text = this.bareText();
    if (text === undefined) return undefined;
    const keys = parsePointer(text);
    if (!keys.ok) return this.refuse(keys.error.message);
    return keys.value.length === 0 ? this.expected('a property') : keys.value;
  }

  /** Text without quotes up to a comma or a closing parenthesis, without white space around it. */
  bareText(): string | undefined {
    this.#skipSpace();
    let text = '';
    // White space that is escaped is the text's own.
    let length = 0;
    for (let next = this.#next(); next !== ',' && next !== ')'; next = this.#next()) {
      if (next === undefined || next === '"') break;
      const character = this.#character(['"', '\\', '/']);
      if (character === undefined) return undefined;
      text += character.text;
      if (character.escaped || character.text.trim() !== '') length = text.length;
    }
    return text.slice(0, length);
  }

  /** Text in double or single quotes, a number, `true`, `false` or `null`. */
  value(): RqlValue | undefined {
    this.#skipSpace();
    const next = this.#next();
    if (next === '"' || next === "'") return this.#quoted(next);
    const literal = this.#match(LITERAL);
    if (literal !== '') return JSON.parse(literal) as boolean | null;
    const number = this.#match(NUMBER);
    if (number === '') return this.expected('a number, a quoted text, true, false or null');
    const value = Number(number);
    return Number.isFinite(value) ? value + 0 : this.refuse('a number that is too large');
  }

  #quoted(quote: string): string | undefined {
    this.#position += 1;
    const parts: string[] = [];
    while (this.#next() !== quote) {
      const character = this.#character([quote, '\\', '/']);
      if (character === undefined) return this.expected(`the closing ${quote}`);
      parts.push(character.text);
    }
    this.#position += 1;
    return parts.join('');
  }

  /** One character, or one escaped by a backslash. */
  #character(escapable: readonly string[]): { text: string; escaped: boolean } | undefined {
    const character = this.#next();
    if (character === undefined) return undefined;
    if (character !== '\\') {
      this.#position += 1;
      return { text: character, escaped: false };
    }
    const letter = this.#text[this.#position + 1] ?? '';
    const digits = this.#text.slice(this.#position + 2, this.#position + 6);
    const isUnicode = letter === 'u' && /^[0-9a-fA-F]{4}$/.test(digits);
    const text = isUnicode
      ? String.fromCharCode(Number.parseInt(digits, 16))
      : escapable.includes(letter)
        ? letter
        : Object.hasOwn(ESCAPES, letter)
          ? ESCAPES[letter]
          : undefined;
    if (text === undefined)
      return this.expected(`one of ${escapable.join(' ')} b f n r t u behind \\`);
    this.#position += isUnicode ? 6 : 2;
    return { text, escaped: true };
  }

  #next(): string | undefined {
    return this.#text[this.#position];
  }

  #skipSpace(): void {
    this.#match(WHITE_SPACE);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#position += found.length;
    return found;
  }
}

/** Refuses a text that is too long to be read. */
export function checkLength(text: string, lengthMax: number): Result<string, RqlFailure> {
  if (text.length <= lengthMax) return ok(text);
  const message = `RQL has at most ${lengthMax} characters; shorten it`;
  return { ok: false, error: { code: 'rql-invalid', message, position: lengthMax } };
}
