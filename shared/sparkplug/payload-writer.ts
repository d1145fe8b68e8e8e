import { assert } from '../basics/assert.ts';
import { datatypeCode } from './datatype.ts';
import type {
  DataSet,
  MetaData,
  Metric,
  MetricValue,
  Payload,
  Property,
  PropertySet,
  Template,
  TemplateParameter,
  WireValue,
} from './metric.ts';
import { toWireValue } from './metric-value.ts';
import {
  type DataSetProto,
  type Long64,
  type MetaDataProto,
  type MetricProto,
  type ParameterProto,
  type PayloadProto,
  type PropertyProto,
  type PropertySetProto,
  type TemplateProto,
  toLong64,
  type ValueProto,
} from './tahu-proto.ts';

/** From the domain's objects to protobuf.js's, which leaves out what is undefined. */
export function writePayload({ timestampMs, seq, metrics, uuid, body }: Payload): PayloadProto {
  return {
    timestamp: narrow(timestampMs),
    metrics: metrics.map(writeMetric),
    seq: narrow(seq),
    uuid,
    body,
  };
}

function writeMetric(metric: Metric): MetricProto {
  const { alias, datatype, metadata, properties, value } = metric;
  return {
    name: metric.name,
    alias: wide(alias),
    timestamp: narrow(metric.timestampMs),
    datatype: datatype && datatypeCode(datatype),
    isHistorical: metric.isHistorical,
    isTransient: metric.isTransient,
    metadata: metadata && writeMetaData(metadata),
    properties: properties && writePropertySet(properties),
    ...writeNullable(value, [...plain, 'bytes', 'data-set', 'template']),
  };
}

function writeMetaData({ size, seq, ...rest }: MetaData): MetaDataProto {
  return { ...rest, size: wide(size), seq: wide(seq) };
}

function writePropertySet(properties: PropertySet): PropertySetProto {
  return { keys: properties.map(({ key }) => key), values: properties.map(writeProperty) };
}

function writeProperty({ datatype, value }: Property): PropertyProto {
  const allowed = [...plain, 'property-set', 'property-sets'] as const;
  return { type: datatype && datatypeCode(datatype), ...writeNullable(value, allowed) };
}

const plain = ['int', 'long', 'float', 'double', 'boolean', 'string'] as const;

function writeNullable(
  value: WireValue | null | undefined,
  allowed: readonly WireValue['kind'][],
): ValueProto & { isNull?: boolean } {
  if (value === undefined) return {};
  if (value === null) return { isNull: true };
  assert(allowed.includes(value.kind), `a ${value.kind} can stand where it stands in the payload`);
  return writeValue(value);
}

function writeValue(wire: WireValue): ValueProto {
  switch (wire.kind) {
    case 'int':
      return { intValue: wire.value };
    case 'long':
      return { longValue: toLong64(wire.value) };
    case 'float':
      return { floatValue: wire.value };
    case 'double':
      return { doubleValue: wire.value };
    case 'boolean':
      return { booleanValue: wire.value };
    case 'string':
      return { stringValue: wire.value };
    case 'bytes':
      return { bytesValue: wire.value };
    case 'data-set':
      return { datasetValue: writeDataSet(wire.value) };
    case 'template':
      return { templateValue: writeTemplate(wire.value) };
    case 'property-set':
      return { propertysetValue: writePropertySet(wire.value) };
    case 'property-sets':
      return { propertysetsValue: { propertyset: wire.value.map(writePropertySet) } };
  }
}

function writeDataSet({ columns, types, rows }: DataSet): DataSetProto {
  return {
    numOfColumns: toLong64(BigInt(columns.length)),
    columns: [...columns],
    types: types.map(datatypeCode),
    rows: rows.map((row) => ({
      elements: row.map((cell, column): ValueProto => {
        if (cell === null) return {};
        return writeTyped(cell, types[column]);
      }),
    })),
  };
}

function writeTyped(value: MetricValue, type: DataSet['types'][number] | undefined): ValueProto {
  const wire = toWireValue(type ?? 'Unknown', value);
  assert(wire.ok, 'the cells of a data set are of the types of its columns');
  return writeValue(wire.value);
}

function writeTemplate({ version, definition, metrics, parameters }: Template): TemplateProto {
  return {
    version,
    metrics: metrics.map(writeMetric),
    parameters: parameters.map(writeParameter),
    templateRef: definition,
    isDefinition: definition === undefined,
  };
}

function writeParameter({ name, datatype, value }: TemplateParameter): ParameterProto {
  return { name, type: datatype && datatypeCode(datatype), ...writeNullable(value, plain) };
}

function narrow(value: number | undefined): Long64 | undefined {
  return value === undefined ? undefined : toLong64(BigInt(value));
}

function wide(value: bigint | undefined): Long64 | undefined {
  return value === undefined ? undefined : toLong64(value);
}
