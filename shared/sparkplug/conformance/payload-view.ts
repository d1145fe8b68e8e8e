import {
  type Field,
  flag,
  ProtobufReader,
  type Seen,
  text,
  textList,
  unsigned,
  unsignedList,
} from './protobuf-fields.ts';

/** A payload as it stands in the bytes; the field numbers are those of specification, 6.4.1. */
export interface PayloadView {
  readonly timestamp: Seen<bigint>;
  readonly metrics: readonly MetricView[];
  readonly seq: Seen<bigint>;
}

export interface MetricView {
  readonly name: Seen<string>;
  readonly alias: Seen<bigint>;
  readonly timestamp: Seen<bigint>;
  readonly datatype: Seen<bigint>;
  readonly isHistorical: boolean;
  readonly isNull: boolean;
  readonly properties: PropertySetView | undefined;
  readonly value: ValueView | undefined;
}

/** Which member of the `oneof` is there; integers as unsigned bits, floats as their bytes. */
export type ValueView =
  | { readonly kind: 'int' | 'long' | 'boolean'; readonly value: Seen<bigint> }
  | { readonly kind: 'string'; readonly value: Seen<string> }
  | { readonly kind: 'float' | 'double' | 'bytes' | 'extension'; readonly value: Uint8Array }
  | { readonly kind: 'dataset'; readonly value: DatasetView }
  | { readonly kind: 'template'; readonly value: TemplateView }
  | { readonly kind: 'properties' | 'property-sets'; readonly value: readonly PropertySetView[] };

export type ValueKind = ValueView['kind'];

export interface PropertySetView {
  readonly keys: readonly Seen<string>[];
  readonly values: readonly PropertyView[];
}

export interface PropertyView {
  readonly type: Seen<bigint>;
  readonly isNull: boolean;
  readonly value: ValueView | undefined;
}

export interface DatasetView {
  readonly columnCount: Seen<bigint>;
  readonly columns: readonly Seen<string>[];
  readonly types: readonly Seen<bigint>[];
  readonly rows: readonly (readonly (ValueView | undefined)[])[];
}

export interface TemplateView {
  readonly version: Seen<string>;
  readonly members: readonly MetricView[];
  readonly parameters: readonly ParameterView[];
  readonly reference: Seen<string>;
  readonly isDefinition: Seen<boolean>;
}

export interface ParameterView {
  readonly name: Seen<string>;
  readonly type: Seen<bigint>;
  readonly value: ValueView | undefined;
}

/** `undefined` where the bytes are not protobuf. No content is refused. */
export function viewPayload(bytes: Uint8Array): PayloadView | undefined {
  const reader = new ProtobufReader();
  const view = reader.message(bytes, (fields) => ({
    timestamp: unsigned(fields, 1),
    metrics: reader.messages(fields, 2, (inner) => viewMetric(reader, inner)),
    seq: unsigned(fields, 3),
  }));
  return reader.intact ? view : undefined;
}

function viewMetric(reader: ProtobufReader, fields: readonly Field[]): MetricView {
  return {
    name: text(fields, 1),
    alias: unsigned(fields, 2),
    timestamp: unsigned(fields, 3),
    datatype: unsigned(fields, 4),
    isHistorical: flag(fields, 5) === true,
    isNull: flag(fields, 7) === true,
    properties: reader.messages(fields, 9, (inner) => viewProperties(reader, inner)).at(-1),
    value: viewValue(reader, fields, METRIC_VALUES),
  };
}

function viewProperties(reader: ProtobufReader, fields: readonly Field[]): PropertySetView {
  return {
    keys: textList(fields, 1),
    values: reader.messages(fields, 2, (inner) => ({
      type: unsigned(inner, 1),
      isNull: flag(inner, 2) === true,
      value: viewValue(reader, inner, PROPERTY_VALUES),
    })),
  };
}

function viewDataset(reader: ProtobufReader, fields: readonly Field[]): DatasetView {
  return {
    columnCount: unsigned(fields, 1),
    columns: textList(fields, 2),
    types: unsignedList(fields, 3),
    rows: reader.messages(fields, 4, (row) =>
      reader.messages(row, 1, (inner) => viewValue(reader, inner, DATASET_VALUES)),
    ),
  };
}

function viewTemplate(reader: ProtobufReader, fields: readonly Field[]): TemplateView {
  return {
    version: text(fields, 1),
    members: reader.messages(fields, 2, (inner) => viewMetric(reader, inner)),
    parameters: reader.messages(fields, 3, (inner) => ({
      name: text(inner, 1),
      type: unsigned(inner, 2),
      value: viewValue(reader, inner, PARAMETER_VALUES),
    })),
    reference: text(fields, 4),
    isDefinition: flag(fields, 5),
  };
}

const SCALARS = ['int', 'long', 'float', 'double', 'boolean', 'string'] as const;
const METRIC_VALUES = fieldsFrom(10, [...SCALARS, 'bytes', 'dataset', 'template', 'extension']);
const PROPERTY_VALUES = fieldsFrom(3, [...SCALARS, 'properties', 'property-sets', 'extension']);
const PARAMETER_VALUES = fieldsFrom(3, [...SCALARS, 'extension']);
const DATASET_VALUES = fieldsFrom(1, [...SCALARS, 'extension']);

function fieldsFrom(first: number, kinds: readonly ValueKind[]): ReadonlyMap<number, ValueKind> {
  return new Map(kinds.map((kind, i) => [first + i, kind]));
}

/** The last member of the `oneof` counts, as in every protobuf reader. */
function viewValue(
  reader: ProtobufReader,
  fields: readonly Field[],
  kinds: ReadonlyMap<number, ValueKind>,
): ValueView | undefined {
  const field = fields.findLast(({ number }) => kinds.has(number));
  if (field === undefined) return undefined;
  const kind = kinds.get(field.number)!;
  const only = [field];
  const nested = <T>(read: (reader: ProtobufReader, inner: readonly Field[]) => T) =>
    reader.messages(only, field.number, (inner) => read(reader, inner));
  switch (kind) {
    case 'int':
    case 'long':
    case 'boolean':
      return { kind, value: unsigned(only, field.number) };
    case 'string':
      return { kind, value: text(only, field.number) };
    case 'dataset': {
      const [value] = nested(viewDataset);
      return value && { kind, value };
    }
    case 'template': {
      const [value] = nested(viewTemplate);
      return value && { kind, value };
    }
    case 'properties':
      return { kind, value: nested(viewProperties) };
    case 'property-sets': {
      const sets = nested((_, inner) =>
        reader.messages(inner, 1, (set) => viewProperties(reader, set)),
      );
      return { kind, value: sets.flat() };
    }
    default:
      return { kind, value: typeof field.value === 'bigint' ? new Uint8Array() : field.value };
  }
}
