import type { Plain } from './canonical.ts';

/** What the fast decoder leaves to the general one, be it sound or not. */
export const LEFT_OUT = Symbol('left out');

/** Deeper is for the general decoder, which sees to it that what is decoded can be encoded. */
const DEPTH_MAX = 64;
/** Up to here letter by letter is quicker than a call of the decoder. */
const SHORT_LENGTH_MAX = 12;

let input: Uint8Array = new Uint8Array();
let at = 0;
let depth = 0;
let view: DataView = new DataView(input.buffer);

/**
 * Inverse of `encodeFast`, in one pass and without a second encoding to compare: takes core
 * deterministic CBOR (RFC 8949, 4.2.1) of integers, bytes, ASCII text, lists and maps. Gives
 * {@link LEFT_OUT} for anything else, what is malformed or not canonical among it.
 */
export function decodeFast(bytes: Uint8Array): Plain | typeof LEFT_OUT {
  input = bytes;
  view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  at = 0;
  depth = 0;
  try {
    const value = read();
    return at === bytes.length ? value : LEFT_OUT;
  } finally {
    // What was decoded stays with who asked for it.
    input = NOTHING;
  }
}

const NOTHING = new Uint8Array();

function read(): Plain | typeof LEFT_OUT {
  if (at >= input.length) return LEFT_OUT;
  const initial = input[at]!;
  if (initial >= 0xe0) return readSimple();
  const argument = readArgument();
  if (argument < 0) return LEFT_OUT;
  switch (initial >> 5) {
    case 0:
      return argument;
    case 1:
      return argument === Number.MAX_SAFE_INTEGER ? LEFT_OUT : -1 - argument;
    case 2:
      return readBytes(argument);
    case 3:
      return readText(argument) ?? LEFT_OUT;
    default:
      return readNested(initial >> 5, argument);
  }
}

function readNested(major: number, length: number): Plain | typeof LEFT_OUT {
  if (major > 5 || depth === DEPTH_MAX) return LEFT_OUT;
  depth++;
  const nested = major === 4 ? readList(length) : readMap(length);
  depth--;
  return nested;
}

function readSimple(): Plain | typeof LEFT_OUT {
  const initial = input[at++]!;
  if (initial === 0xf6) return null;
  return initial === 0xf4 || initial === 0xf5 ? initial === 0xf5 : LEFT_OUT;
}

/** The argument of the head at hand (RFC 8949, 3); -1 where it is not in the fewest bytes. */
function readArgument(): number {
  const short = input[at++]! & 0x1f;
  if (short < 24) return short;
  const size = 1 << (short - 24);
  if (short > 27 || size > input.length - at) return -1;
  const from = at;
  at += size;
  if (size === 1) return atLeast(24, input[from]!);
  if (size === 2) return atLeast(2 ** 8, view.getUint16(from));
  const high = view.getUint32(from);
  if (size === 4) return atLeast(2 ** 16, high);
  const number = high * 2 ** 32 + view.getUint32(from + 4);
  return number > Number.MAX_SAFE_INTEGER ? -1 : atLeast(2 ** 32, number);
}

function atLeast(min: number, number: number): number {
  return number < min ? -1 : number;
}

function readBytes(length: number): Plain | typeof LEFT_OUT {
  if (length > input.length - at) return LEFT_OUT;
  at += length;
  // A subclass of Uint8Array may have a `slice` that copies nothing.
  return new Uint8Array(input.subarray(at - length, at));
}

function readText(length: number): string | undefined {
  if (length > input.length - at) return undefined;
  const from = at;
  at += length;
  if (length > SHORT_LENGTH_MAX) {
    for (let i = from; i < at; i++) if (input[i]! > 0x7f) return undefined;
    return decoder.decode(input.subarray(from, at));
  }
  let text = '';
  for (let i = from; i < at; i++) {
    const unit = input[i]!;
    if (unit > 0x7f) return undefined;
    text += ASCII[unit]!;
  }
  return text;
}

const decoder = new TextDecoder();
const ASCII = Array.from({ length: 128 }, (_, unit) => String.fromCharCode(unit));

function readList(length: number): Plain | typeof LEFT_OUT {
  const list: Plain[] = [];
  for (let i = 0; i < length; i++) {
    const item = read();
    if (item === LEFT_OUT) return LEFT_OUT;
    list.push(item);
  }
  return list;
}

function readMap(length: number): Plain | typeof LEFT_OUT {
  const map: Record<string, Plain> = {};
  let before: string | undefined;
  for (let i = 0; i < length; i++) {
    if (at >= input.length || input[at]! >> 5 !== 3) return LEFT_OUT;
    const size = readArgument();
    const key = size < 0 ? undefined : readText(size);
    if (key === undefined || key === '__proto__') return LEFT_OUT;
    // In the order of their encodings, so that none comes twice.
    if (before !== undefined && !isBefore(before, key)) return LEFT_OUT;
    before = key;
    const value = read();
    if (value === LEFT_OUT) return LEFT_OUT;
    map[key] = value;
  }
  return map;
}

function isBefore(a: string, b: string): boolean {
  return a.length < b.length || (a.length === b.length && a < b);
}
