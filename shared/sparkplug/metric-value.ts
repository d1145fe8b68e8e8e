import { err, ok, type Result } from '../basics/result.ts';
import { type Datatype, isBasicDatatype } from './datatype.ts';
import type { DataSet, MetricValue, PayloadFailure, PropertySet, WireValue } from './metric.ts';
import { type ArrayDatatype, type ArrayValue, packArray, unpackArray } from './packed-array.ts';

interface IntegerRange {
  readonly bits: number;
  readonly signed: boolean;
}

const smallIntegers: Partial<Record<Datatype, IntegerRange>> = {
  Int8: { bits: 8, signed: true },
  Int16: { bits: 16, signed: true },
  Int32: { bits: 32, signed: true },
  UInt8: { bits: 8, signed: false },
  UInt16: { bits: 16, signed: false },
  UInt32: { bits: 32, signed: false },
};

/**
 * The value of a data type from what stands in a message.
 *
 * Negative numbers of 8 and 16 bits are taken in two's complement of 32 bits as well as of their
 * own, UInt32 also as a `long`: implementations differ, and none of these is ambiguous.
 *
 * Errors: `value-mismatch`.
 */
export function readValue(type: Datatype, wire: WireValue): Result<MetricValue, PayloadFailure> {
  const value = typedValue(type, wire);
  return value === undefined ? mismatch(type, `a ${wire.kind} that is none`) : ok(value);
}

function typedValue(type: Datatype, wire: WireValue): MetricValue | undefined {
  const small = smallIntegers[type];
  if (small !== undefined) return smallInteger(type, small, wire);
  switch (wire.kind) {
    case 'long':
      if (type === 'Int64') return BigInt.asIntN(64, wire.value);
      break;
    case 'bytes':
      if (isArrayDatatype(type)) return unpackArray(type, wire.value);
      break;
    default:
  }
  return kindOf(type) === wire.kind ? wire.value : undefined;
}

function smallInteger(
  type: Datatype,
  { bits, signed }: IntegerRange,
  wire: WireValue,
): number | undefined {
  if (wire.kind === 'long' && type === 'UInt32') {
    return wire.value < 2n ** 32n ? Number(wire.value) : undefined;
  }
  if (wire.kind !== 'int') return undefined;
  if (!signed) return wire.value < 2 ** bits ? wire.value : undefined;
  const value = (wire.value << (32 - bits)) >> (32 - bits);
  const fits = value >>> 0 === wire.value || (value & (2 ** bits - 1)) === wire.value;
  return fits || bits === 32 ? value : undefined;
}

/**
 * What stands in a message for a value of a data type; `Float` is rounded to what 32 bits hold.
 *
 * Errors: `value-mismatch` where the value is not one of the type.
 */
export function toWireValue(type: Datatype, value: MetricValue): Result<WireValue, PayloadFailure> {
  const wire = wireOf(type, value);
  return wire === undefined ? mismatch(type, `${describe(value)} is none`) : ok(wire);
}

function wireOf(type: Datatype, value: MetricValue): WireValue | undefined {
  const small = smallIntegers[type];
  if (small !== undefined) {
    return isSmallInteger(small, value) ? { kind: 'int', value: value >>> 0 } : undefined;
  }
  if (isArrayDatatype(type)) {
    return isArrayOf(type, value) ? { kind: 'bytes', value: packArray(type, value) } : undefined;
  }
  const kind = kindOf(type);
  switch (kind) {
    case 'long':
      if (typeof value !== 'bigint' || !isLong(type, value)) return undefined;
      return { kind, value: BigInt.asUintN(64, value) };
    case 'float':
    case 'double':
      if (typeof value !== 'number') return undefined;
      return { kind, value: kind === 'float' ? Math.fround(value) : value };
    case 'boolean':
      return typeof value === 'boolean' ? { kind, value } : undefined;
    case 'string':
      return isText(value) ? { kind, value } : undefined;
    case 'bytes':
      return value instanceof Uint8Array ? { kind, value } : undefined;
    case 'data-set':
      return isDataSet(value) ? { kind, value } : undefined;
    case 'template':
      return isPlain(value) && 'metrics' in value ? { kind, value } : undefined;
    case 'property-set':
      return Array.isArray(value) ? { kind, value: value as PropertySet } : undefined;
    case 'property-sets':
      return Array.isArray(value) ? { kind, value: value as PropertySet[] } : undefined;
    default:
      return undefined;
  }
}

/** What a value of the type is on the wire; `undefined` for `Unknown`. */
function kindOf(type: Datatype): WireValue['kind'] | undefined {
  switch (type) {
    case 'Int64':
    case 'UInt64':
    case 'DateTime':
      return 'long';
    case 'Float':
      return 'float';
    case 'Double':
      return 'double';
    case 'Boolean':
      return 'boolean';
    case 'String':
    case 'Text':
    case 'UUID':
      return 'string';
    case 'Bytes':
    case 'File':
      return 'bytes';
    case 'DataSet':
      return 'data-set';
    case 'Template':
      return 'template';
    case 'PropertySet':
      return 'property-set';
    case 'PropertySetList':
      return 'property-sets';
    default:
      return undefined;
  }
}

function isArrayDatatype(type: Datatype): type is ArrayDatatype {
  return type.endsWith('Array');
}

function isSmallInteger({ bits, signed }: IntegerRange, value: unknown): value is number {
  const min = signed ? -(2 ** (bits - 1)) : 0;
  return Number.isInteger(value) && Number(value) >= min && Number(value) < min + 2 ** bits;
}

function isLong(type: Datatype, value: bigint): boolean {
  return (type === 'Int64' ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value)) === value;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed();
}

function isPlain(
  value: MetricValue,
): value is Extract<MetricValue, { metrics: unknown }> | DataSet {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** Whether each element is one of the array's element type. */
function isArrayOf(type: ArrayDatatype, value: MetricValue): value is ArrayValue {
  if (!Array.isArray(value)) return false;
  const element = type.slice(0, -'Array'.length) as Datatype;
  if (element === 'String') return value.every((text) => isText(text) && !text.includes('\0'));
  return value.every((each) => wireOf(element, each as MetricValue) !== undefined);
}

/** Whether names, types and cells of the table fit each other. */
function isDataSet(value: MetricValue): value is DataSet {
  if (!isPlain(value) || !('rows' in value)) return false;
  const { columns, types, rows } = value;
  if (columns.length !== types.length || !columns.every(isText)) return false;
  if (!types.every(isBasicDatatype)) return false;
  return rows.every(
    (row) =>
      row.length === types.length &&
      row.every((cell, i) => cell === null || wireOf(types[i]!, cell) !== undefined),
  );
}

function describe(value: MetricValue): string {
  if (typeof value === 'string') return `a text of length ${value.length}`;
  return typeof value === 'object' ? 'a table, array or template' : `${value}`;
}

function mismatch(type: Datatype, what: string): Result<never, PayloadFailure> {
  const message = `${type} was expected, but ${what}; mend the sender's data type or value`;
  return err({ code: 'value-mismatch', message });
}

/** Whether two values of one data type are the same; NaN is itself, 0 is not -0. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length || Array.isArray(a) !== Array.isArray(b)) return false;
  return keys.every((key) => sameValue(a[key as keyof typeof a], b[key as keyof typeof b]));
}
