/** One field as it stands in the bytes. */
export interface Field {
  readonly number: number;
  /** A varint as an unsigned 64-bit integer; all else as its bytes. */
  readonly value: bigint | Uint8Array;
  readonly wire: number;
}

/** `undefined`: not there; `null`: there, but not of its type. */
export type Seen<T> = T | null | undefined;

const DEPTH_MAX = 32;
const VARINT_BYTES_MAX = 10;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads protobuf for a grader: a field that is missing, doubled or of the wrong wire type is what
 * it is there to see, so only broken framing, and nesting beyond 32, end the reading. It shares no
 * code with the codec that it grades. Encoding: protobuf.dev/programming-guides/encoding.
 */
export class ProtobufReader {
  #intact = true;
  #depth = 0;

  /** Whether all that was read so far is protobuf. */
  get intact(): boolean {
    return this.#intact;
  }

  /** What `read` makes of a message's fields. */
  message<T>(bytes: Uint8Array, read: (fields: readonly Field[]) => T): T {
    this.#depth++;
    const fields = this.#depth > DEPTH_MAX ? undefined : splitFields(bytes);
    if (fields === undefined) this.#intact = false;
    const value = read(fields ?? []);
    this.#depth--;
    return value;
  }

  /** Every message in a repeated field. */
  messages<T>(
    fields: readonly Field[],
    number: number,
    read: (fields: readonly Field[]) => T,
  ): readonly T[] {
    const found: T[] = [];
    for (const { number: own, value } of fields) {
      if (own !== number) continue;
      if (typeof value === 'bigint') this.#intact = false;
      else found.push(this.message(value, read));
    }
    return found;
  }
}

export function unsigned(fields: readonly Field[], number: number): Seen<bigint> {
  const field = last(fields, number);
  if (field === undefined) return undefined;
  return typeof field.value === 'bigint' ? field.value : null;
}

/** A repeated integer, packed or not. */
export function unsignedList(fields: readonly Field[], number: number): readonly Seen<bigint>[] {
  const found: Seen<bigint>[] = [];
  for (const { number: own, wire, value } of fields) {
    if (own !== number) continue;
    if (typeof value === 'bigint') found.push(value);
    else found.push(...(wire === 2 ? unpack(value) : [null]));
  }
  return found;
}

export function text(fields: readonly Field[], number: number): Seen<string> {
  const field = last(fields, number);
  return field === undefined ? undefined : decodeText(field);
}

export function textList(fields: readonly Field[], number: number): readonly Seen<string>[] {
  return fields.filter((field) => field.number === number).map(decodeText);
}

export function flag(fields: readonly Field[], number: number): Seen<boolean> {
  const value = unsigned(fields, number);
  return typeof value === 'bigint' ? value !== 0n : value;
}

function last(fields: readonly Field[], number: number): Field | undefined {
  return fields.findLast((field) => field.number === number);
}

function decodeText({ wire, value }: Field): string | null {
  if (wire !== 2 || typeof value === 'bigint') return null;
  try {
    return utf8.decode(value);
  } catch {
    return null;
  }
}

function unpack(bytes: Uint8Array): Seen<bigint>[] {
  const values: Seen<bigint>[] = [];
  let at = 0;
  while (at < bytes.length) {
    const varint = readVarint(bytes, at);
    if (varint === undefined) return [...values, null];
    values.push(varint.value);
    at = varint.next;
  }
  return values;
}

/** `undefined` where the bytes are not a message. */
function splitFields(bytes: Uint8Array): Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  while (at < bytes.length) {
    const key = readVarint(bytes, at);
    if (key === undefined || key.value > 0xffff_ffffn) return undefined;
    const number = Number(key.value >> 3n);
    const wire = Number(key.value & 7n);
    const content = number === 0 ? undefined : readContent(bytes, key.next, wire);
    if (content === undefined) return undefined;
    fields.push({ number, wire, value: content.value });
    at = content.next;
  }
  return fields;
}

interface Read<T> {
  readonly value: T;
  readonly next: number;
}

function readContent(
  bytes: Uint8Array,
  at: number,
  wire: number,
): Read<bigint | Uint8Array> | undefined {
  if (wire === 0) return readVarint(bytes, at);
  if (wire === 1) return readBytes(bytes, at, 8);
  if (wire === 5) return readBytes(bytes, at, 4);
  const size = wire === 2 ? readVarint(bytes, at) : undefined;
  if (size === undefined || size.value > BigInt(bytes.length)) return undefined;
  return readBytes(bytes, size.next, Number(size.value));
}

function readBytes(bytes: Uint8Array, at: number, size: number): Read<Uint8Array> | undefined {
  const next = at + size;
  return next > bytes.length ? undefined : { value: bytes.subarray(at, next), next };
}

function readVarint(bytes: Uint8Array, at: number): Read<bigint> | undefined {
  let value = 0n;
  for (let i = 0; i < VARINT_BYTES_MAX; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) return { value: BigInt.asUintN(64, value), next: at + i + 1 };
  }
  return undefined;
}
