import type { Plain } from './canonical.ts';

/** Grown as needed; what was encoded is copied out. */
let buffer = new Uint8Array(64 * 1024);
let length = 0;

/**
 * Core deterministic CBOR (RFC 8949, 4.2.1) of data without fractions, with text in ASCII alone:
 * nearly all that is signed and hashed here, several times as fast as the general encoder. Gives
 * undefined where anything else is met, for the general encoder to take.
 */
export function encodeFast(value: Plain): Uint8Array<ArrayBuffer> | undefined {
  length = 0;
  return write(value) ? buffer.slice(0, length) : undefined;
}

function write(value: Plain): boolean {
  if (typeof value === 'string') return writeText(value);
  if (typeof value === 'number') return writeInteger(value);
  if (value === null || value === false || value === true) {
    reserve(1);
    buffer[length++] = value === null ? 0xf6 : value ? 0xf5 : 0xf4;
    return true;
  }
  if (value instanceof Uint8Array) return writeBytes(value);
  if (Array.isArray(value)) {
    writeHead(0x80, value.length);
    for (const item of value) if (!write(item)) return false;
    return true;
  }
  const isPlain = typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype;
  return isPlain && writeMap(value as { readonly [key: string]: Plain });
}

function writeMap(map: { readonly [key: string]: Plain }): boolean {
  const keys = Object.keys(map);
  // The order of the keys' encodings: by length, then by bytes, which in ASCII is that of text.
  keys.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  writeHead(0xa0, keys.length);
  for (const key of keys) if (!writeText(key) || !write(map[key]!)) return false;
  return true;
}

function writeText(text: string): boolean {
  writeHead(0x60, text.length);
  reserve(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return false;
    buffer[length + i] = unit;
  }
  length += text.length;
  return true;
}

function writeBytes(bytes: Uint8Array): boolean {
  writeHead(0x40, bytes.length);
  reserve(bytes.length);
  buffer.set(bytes, length);
  length += bytes.length;
  return true;
}

function writeInteger(number: number): boolean {
  if (!Number.isSafeInteger(number) || Object.is(number, -0)) return false;
  if (number >= 0) writeHead(0x00, number);
  else writeHead(0x20, -1 - number);
  return true;
}

/** The initial byte of a major type with its argument in the fewest bytes (RFC 8949, 3). */
function writeHead(major: number, argument: number): void {
  reserve(9);
  if (argument < 24) {
    buffer[length++] = major | argument;
    return;
  }
  const size = argument < 2 ** 8 ? 1 : argument < 2 ** 16 ? 2 : argument < 2 ** 32 ? 4 : 8;
  buffer[length++] = major | (24 + Math.log2(size));
  for (let shift = size - 1; shift >= 0; shift--) {
    buffer[length++] = Math.floor(argument / 2 ** (8 * shift)) % 256;
  }
}

function reserve(count: number): void {
  if (length + count <= buffer.length) return;
  const grown = new Uint8Array(2 * (length + count));
  grown.set(buffer.subarray(0, length));
  buffer = grown;
}
