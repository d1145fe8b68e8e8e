import fc from 'fast-check';
import { assert } from '../basics/assert.ts';
import { type Datatype, datatypes, isBasicDatatype, isPropertyDatatype } from './datatype.ts';
import type {
  DataSet,
  MetaData,
  Metric,
  MetricValue,
  Payload,
  PropertySet,
  Template,
  TemplateParameter,
  WireValue,
} from './metric.ts';
import { toWireValue } from './metric-value.ts';

/** A value and its data type. */
export interface Typed {
  readonly type: Datatype;
  readonly value: MetricValue;
}

/** The wire's form of a value that is one of its type. */
export function wireOf({ type, value }: Typed): WireValue {
  const wire = toWireValue(type, value);
  assert(wire.ok, 'the value is one of its type');
  return wire.value;
}

const int = (bits: number, signed: boolean) => {
  const min = signed ? -(2 ** (bits - 1)) : 0;
  return fc.integer({ min, max: min + 2 ** bits - 1 });
};
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const text = fc.string({ unit: 'binary' });
const float = fc.float();

/** Values of the types that hold no others. */
const scalars = {
  Int8: int(8, true),
  Int16: int(16, true),
  Int32: int(32, true),
  Int64: int64,
  UInt8: int(8, false),
  UInt16: int(16, false),
  UInt32: int(32, false),
  UInt64: uint64,
  Float: float,
  Double: fc.double(),
  Boolean: fc.boolean(),
  String: text,
  DateTime: uint64,
} satisfies Partial<Record<Datatype, fc.Arbitrary<MetricValue>>>;

const arrays = Object.fromEntries(
  Object.entries(scalars).map(([type, element]) => [
    `${type}Array`,
    type === 'String'
      ? fc.array(text.map((value) => value.replaceAll('\0', '')))
      : fc.array(element as fc.Arbitrary<number>),
  ]),
) as Record<string, fc.Arbitrary<MetricValue>>;

const flat: Partial<Record<Datatype, fc.Arbitrary<MetricValue>>> = {
  ...scalars,
  Text: text,
  UUID: fc.uuid(),
  Bytes: fc.uint8Array(),
  File: fc.uint8Array({ maxLength: 300 }),
  ...arrays,
};

const basicTypes = datatypes.filter(isBasicDatatype);

const anyDataSet: fc.Arbitrary<DataSet> = fc
  .array(fc.tuple(text, fc.constantFrom(...basicTypes)), { maxLength: 4 })
  .chain((columns) => {
    const row = fc.tuple(...columns.map(([, type]) => fc.option(flat[type]!)));
    return fc.array(row, { maxLength: 3 }).map((rows) => ({
      columns: columns.map(([name]) => name),
      types: columns.map(([, type]) => type),
      rows,
    }));
  });

const anyTime = fc.integer({ min: 0, max: 8.64e15 });

/** What `required` names, and any part of the rest. */
function partial<T extends object>(
  parts: { [K in keyof T]-?: fc.Arbitrary<T[K]> },
  ...required: (keyof T)[]
) {
  return fc.record(parts, { requiredKeys: required, noNullPrototype: true }) as fc.Arbitrary<T>;
}

const anyMetaData: fc.Arbitrary<MetaData> = partial<MetaData>({
  isMultiPart: fc.boolean(),
  contentType: text,
  size: uint64,
  seq: uint64,
  fileName: text,
  fileType: text,
  md5: text,
  description: text,
});

/** `depth`: how many templates or sets of properties may lie within each other. */
function anyPropertySet(depth: number): fc.Arbitrary<PropertySet> {
  const types = datatypes.filter(depth > 0 ? isPropertyDatatype : isBasicDatatype);
  const property = fc.tuple(text, fc.constantFrom(...types)).chain(([key, datatype]) =>
    fc.option(propertyValue(datatype, depth)).map((value) => ({
      key,
      datatype,
      value: value === null ? null : wireOf({ type: datatype, value }),
    })),
  );
  return fc.array(property, { maxLength: 2 });
}

function propertyValue(type: Datatype, depth: number): fc.Arbitrary<MetricValue> {
  if (type === 'PropertySet') return anyPropertySet(depth - 1);
  if (type === 'PropertySetList') return fc.array(anyPropertySet(depth - 1), { maxLength: 2 });
  return flat[type]!;
}

const anyParameter: fc.Arbitrary<TemplateParameter> = fc
  .tuple(text, fc.constantFrom(...basicTypes))
  .chain(([name, datatype]) =>
    flat[datatype]!.map((value) => ({ name, datatype, value: wireOf({ type: datatype, value }) })),
  );

function anyTemplate(depth: number): fc.Arbitrary<Template> {
  return partial<Template>(
    {
      version: text,
      definition: text,
      metrics: fc.array(anyMetric(depth), { maxLength: 2 }),
      parameters: fc.array(anyParameter, { maxLength: 2 }),
    },
    'metrics',
    'parameters',
  );
}

/** A value of any data type a metric may have. */
export function anyTyped(depth: number): fc.Arbitrary<Typed> {
  const types = datatypes.filter(
    (type) => type in flat || type === 'DataSet' || (type === 'Template' && depth > 0),
  );
  return fc.constantFrom(...types).chain((type): fc.Arbitrary<Typed> => {
    if (type === 'Template') return anyTemplate(depth - 1).map((value) => ({ type, value }));
    const values: fc.Arbitrary<MetricValue> = type === 'DataSet' ? anyDataSet : flat[type]!;
    return values.map((value) => ({ type, value }));
  });
}

function anyMetric(depth: number): fc.Arbitrary<Metric> {
  const rest = partial<Omit<Metric, 'datatype' | 'value'>>({
    name: text,
    alias: uint64,
    timestampMs: anyTime,
    isHistorical: fc.boolean(),
    isTransient: fc.boolean(),
    metadata: anyMetaData,
    properties: anyPropertySet(depth),
  });
  return fc
    .tuple(rest, fc.option(anyTyped(depth)), fc.boolean())
    .map(([metric, typed, isStated]): Metric => {
      if (typed === null) return isStated ? { ...metric, value: null } : metric;
      const value = wireOf(typed);
      return isStated ? { ...metric, datatype: typed.type, value } : { ...metric, value };
    });
}

export const anyPayload: fc.Arbitrary<Payload> = partial<Payload>(
  {
    timestampMs: anyTime,
    seq: fc.integer({ min: 0, max: 255 }),
    metrics: fc.array(anyMetric(2), { maxLength: 4 }),
    uuid: text,
    body: fc.uint8Array(),
  },
  'metrics',
);
