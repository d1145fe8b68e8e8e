import type { Datatype } from './datatype.ts';

export type ArrayDatatype = Extract<Datatype, `${string}Array`>;
export type ArrayValue =
  | readonly number[]
  | readonly bigint[]
  | readonly boolean[]
  | readonly string[];

interface Packing {
  readonly bytes: number;
  get(view: DataView, at: number): number | bigint;
  set(view: DataView, at: number, value: number & bigint): void;
}

function packing(bytes: number, name: string): Packing {
  const get = `get${name}` as 'getInt16';
  const set = `set${name}` as 'setInt16';
  return {
    bytes,
    get: (view, at) => view[get](at, true),
    set: (view, at, value) => view[set](at, value, true),
  };
}

/** Little-endian (Sparkplug 3.0, 6.4.17; its examples of floats are not, against its own text). */
const packings: Partial<Record<Datatype, Packing>> = {
  Int8Array: packing(1, 'Int8'),
  Int16Array: packing(2, 'Int16'),
  Int32Array: packing(4, 'Int32'),
  Int64Array: packing(8, 'BigInt64'),
  UInt8Array: packing(1, 'Uint8'),
  UInt16Array: packing(2, 'Uint16'),
  UInt32Array: packing(4, 'Uint32'),
  UInt64Array: packing(8, 'BigUint64'),
  FloatArray: packing(4, 'Float32'),
  DoubleArray: packing(8, 'Float64'),
  DateTimeArray: packing(8, 'BigUint64'),
};

/** The bytes of an array whose elements are in the range of its type. */
export function packArray(type: ArrayDatatype, values: ArrayValue): Uint8Array {
  if (type === 'BooleanArray') return packBooleans(values as readonly boolean[]);
  if (type === 'StringArray') return packStrings(values as readonly string[]);
  const { bytes, set } = packings[type]!;
  const packed = new Uint8Array(bytes * values.length);
  const view = new DataView(packed.buffer);
  for (const [index, value] of values.entries()) {
    set(view, bytes * index, value as number & bigint);
  }
  return packed;
}

/** The elements; `undefined` where the bytes are not a whole array of the type. */
export function unpackArray(type: ArrayDatatype, packed: Uint8Array): ArrayValue | undefined {
  if (type === 'BooleanArray') return unpackBooleans(packed);
  if (type === 'StringArray') return unpackStrings(packed);
  const { bytes, get } = packings[type]!;
  if (packed.length % bytes !== 0) return undefined;
  const view = viewOf(packed);
  const values = Array.from({ length: packed.length / bytes }, (_, i) => get(view, bytes * i));
  return values as number[] | bigint[];
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Four bytes of count, then eight to a byte, the first in the highest bit. */
function packBooleans(values: readonly boolean[]): Uint8Array {
  const packed = new Uint8Array(4 + Math.ceil(values.length / 8));
  viewOf(packed).setUint32(0, values.length, true);
  for (const [index, value] of values.entries()) {
    if (value) packed[4 + (index >> 3)]! |= 128 >> (index & 7);
  }
  return packed;
}

function unpackBooleans(packed: Uint8Array): boolean[] | undefined {
  if (packed.length < 4) return undefined;
  const length = viewOf(packed).getUint32(0, true);
  if (packed.length !== 4 + Math.ceil(length / 8)) return undefined;
  return Array.from({ length }, (_, i) => (packed[4 + (i >> 3)]! & (128 >> (i & 7))) !== 0);
}

function packStrings(values: readonly string[]): Uint8Array {
  return new TextEncoder().encode(values.map((value) => `${value}\0`).join(''));
}

function unpackStrings(packed: Uint8Array): string[] | undefined {
  if (packed.length > 0 && packed.at(-1) !== 0) return undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(packed);
    return text.split('\0').slice(0, -1);
  } catch {
    return undefined;
  }
}
