import type { PayloadFailure } from './metric.ts';

export interface PayloadLimits {
  readonly bytesMax: number;
  /** Metrics in a message, those within templates left out. */
  readonly metricsMax: number;
  /** Messages within the message, and repeated fields: what decoding may allocate. */
  readonly itemsMax: number;
  readonly stringBytesMax: number;
  /** How deep templates and sets of properties may lie within each other. */
  readonly depthMax: number;
}

export const defaultPayloadLimits: PayloadLimits = {
  bytesMax: 1024 * 1024,
  metricsMax: 5000,
  itemsMax: 100_000,
  stringBytesMax: 64 * 1024,
  depthMax: 24,
};

/** What a field must be on the wire; `varints` may be packed. */
type FieldRule = 'varint' | 'varints' | 'fixed32' | 'fixed64' | 'string' | 'bytes' | Shape;

interface Shape {
  readonly fields: Readonly<Record<number, FieldRule>>;
  /** Numbers of the fields that may come more than once. */
  readonly repeated: readonly number[];
}

function shape(repeated: readonly number[] = []): { fields: Record<number, FieldRule> } & Shape {
  return { fields: {}, repeated };
}

const metricShape = shape();
const metaDataShape = shape();
const propertySetShape = shape([1, 2]);
const propertySetsShape = shape([1]);
const propertyShape = shape();
const dataSetShape = shape([2, 3, 4]);
const rowShape = shape([1]);
const cellShape = shape();
const templateShape = shape([2, 3]);
const parameterShape = shape();
const extensionShape = shape();
const payloadShape = shape([2]);

/** `oneof value`'s plain fields, from the number of `int_value` on. */
function plainValues(first: number): Record<number, FieldRule> {
  const rules: FieldRule[] = ['varint', 'varint', 'fixed32', 'fixed64', 'varint', 'string'];
  return Object.fromEntries(rules.map((rule, index) => [first + index, rule]));
}

/** `[from, from + 1, ...]: rules`. */
function fieldsFrom(first: number, rules: readonly FieldRule[]): Record<number, FieldRule> {
  return Object.fromEntries(rules.map((rule, index) => [first + index, rule]));
}

// The numbers are those of Sparkplug's protobuf definition (Sparkplug 3.0, 6.4.1).
Object.assign(payloadShape.fields, { 1: 'varint', 2: metricShape, 3: 'varint' });
Object.assign(payloadShape.fields, { 4: 'string', 5: 'bytes' });
Object.assign(metricShape.fields, {
  ...fieldsFrom(1, ['string', 'varint', 'varint', 'varint', 'varint', 'varint', 'varint']),
  ...fieldsFrom(8, [metaDataShape, propertySetShape]),
  ...plainValues(10),
  ...fieldsFrom(16, ['bytes', dataSetShape, templateShape, extensionShape]),
});
Object.assign(metaDataShape.fields, {
  ...fieldsFrom(1, ['varint', 'string', 'varint', 'varint', 'string', 'string', 'string']),
  8: 'string',
});
Object.assign(propertySetShape.fields, { 1: 'string', 2: propertyShape });
Object.assign(propertySetsShape.fields, { 1: propertySetShape });
Object.assign(propertyShape.fields, {
  ...fieldsFrom(1, ['varint', 'varint']),
  ...plainValues(3),
  ...fieldsFrom(9, [propertySetShape, propertySetsShape, extensionShape]),
});
Object.assign(dataSetShape.fields, fieldsFrom(1, ['varint', 'string', 'varints', rowShape]));
Object.assign(rowShape.fields, { 1: cellShape });
Object.assign(cellShape.fields, { ...plainValues(1), 7: extensionShape });
Object.assign(
  templateShape.fields,
  fieldsFrom(1, ['string', metricShape, parameterShape, 'string', 'varint']),
);
Object.assign(parameterShape.fields, {
  ...fieldsFrom(1, ['string', 'varint']),
  ...plainValues(3),
  9: extensionShape,
});

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Walks the bytes of a payload before anything is made of them: that every length lies within its
 * message, known fields are encoded as they must be, text is UTF-8, no single field comes twice,
 * and nothing exceeds the limits. (The decoder protobuf.js generates checks none of these.)
 *
 * Returns the failure `payload-too-large`, `payload-malformed` or `payload-limit`, if any.
 */
export function checkPayloadBytes(
  bytes: Uint8Array,
  limits: PayloadLimits,
): PayloadFailure | undefined {
  if (bytes.length > limits.bytesMax) {
    const message = `the payload has ${bytes.length} bytes, ${limits.bytesMax} are allowed`;
    return { code: 'payload-too-large', message };
  }
  return new Walk(bytes, limits).message(payloadShape, bytes.length, 0);
}

class Walk {
  readonly #bytes: Uint8Array;
  readonly #limits: PayloadLimits;
  #at = 0;
  #items = 0;
  #metrics = 0;

  constructor(bytes: Uint8Array, limits: PayloadLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  /** The message from here to `end`. */
  message({ fields, repeated }: Shape, end: number, depth: number): PayloadFailure | undefined {
    if (depth > this.#limits.depthMax) return beyond('is nested deeper', this.#limits.depthMax);
    const seen = new Set<number>();
    while (this.#at < end) {
      const tag = this.#varint(end);
      const number = Math.floor(tag / 8);
      if (tag < 8 || tag >= 2 ** 32) return malformed('a field has no valid number', this.#at);
      const rule = fields[number];
      if (rule !== undefined && !repeated.includes(number)) {
        if (seen.has(number)) return malformed(`field ${number} comes twice`, this.#at);
        seen.add(number);
      }
      const failure = this.#field(rule, { wireType: tag % 8, end, depth });
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  #field(
    rule: FieldRule | undefined,
    { wireType, end, depth }: { wireType: number; end: number; depth: number },
  ): PayloadFailure | undefined {
    const start = this.#at;
    if (rule !== undefined && !wireTypesOf(rule).includes(wireType)) {
      return malformed(`a field is of wire type ${wireType}`, start);
    }
    if (wireType === 2) return this.#delimited(rule, end, depth);
    if (wireType === 0) {
      if (this.#varint(end) < 0) return malformed('a number has no end', start);
    } else if (wireType === 1) this.#at += 8;
    else if (wireType === 5) this.#at += 4;
    else return malformed(`a field is of wire type ${wireType}`, start);
    if (this.#at > end) return malformed('a field ends behind its message', start);
    return rule === 'varints' ? this.#count() : undefined;
  }

  #delimited(rule: FieldRule | undefined, end: number, depth: number): PayloadFailure | undefined {
    const start = this.#at;
    const length = this.#varint(end);
    const stop = this.#at + length;
    if (length < 0 || stop > end) return malformed('a field ends behind its message', start);
    if (rule === 'string') return this.#string(stop);
    if (rule === 'varints') {
      while (this.#at < stop) {
        if (this.#varint(stop) < 0) return malformed('a number has no end', this.#at);
        const failure = this.#count();
        if (failure !== undefined) return failure;
      }
      return undefined;
    }
    if (typeof rule !== 'object') {
      this.#at = stop;
      return undefined;
    }
    if (rule === metricShape && depth === 0 && ++this.#metrics > this.#limits.metricsMax) {
      return beyond('has more metrics', this.#limits.metricsMax);
    }
    return this.#count() ?? this.message(rule, stop, depth + 1);
  }

  #string(stop: number): PayloadFailure | undefined {
    const text = this.#bytes.subarray(this.#at, stop);
    if (text.length > this.#limits.stringBytesMax) {
      return beyond('holds a text of more bytes', this.#limits.stringBytesMax);
    }
    if (!isUtf8(text)) return malformed('a text is not UTF-8', this.#at);
    this.#at = stop;
    return this.#count();
  }

  #count(): PayloadFailure | undefined {
    if (++this.#items <= this.#limits.itemsMax) return undefined;
    return beyond('has more parts', this.#limits.itemsMax);
  }

  /** -1 where it does not end within `end`, or after ten bytes. */
  #varint(end: number): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10 && this.#at < end; i++) {
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    return -1;
  }
}

function wireTypesOf(rule: FieldRule): readonly number[] {
  if (rule === 'varint') return [0];
  if (rule === 'varints') return [0, 2];
  if (rule === 'fixed64') return [1];
  return rule === 'fixed32' ? [5] : [2];
}

function isUtf8(text: Uint8Array): boolean {
  if (text.every((byte) => byte < 128)) return true;
  try {
    utf8.decode(text);
    return true;
  } catch {
    return false;
  }
}

function malformed(what: string, at: number): PayloadFailure {
  return {
    code: 'payload-malformed',
    message: `not a Sparkplug B payload, or one cut short: ${what} at byte ${at}`,
  };
}

function beyond(what: string, most: number): PayloadFailure {
  return {
    code: 'payload-limit',
    message: `the payload ${what} than the ${most} allowed; send less at a time`,
  };
}
