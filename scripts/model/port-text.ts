import type { Port } from '#shared/training/model/shape.ts';

/** Names of TensorProto.DataType (onnx.proto), by number. */
const typeNames: Readonly<Record<number, string>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  4: 'uint16',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  8: 'string',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  12: 'uint32',
  13: 'uint64',
  16: 'bfloat16',
};

export function typeName(type: number): string {
  return typeNames[type] ?? `type ${type}`;
}

/** `x float32 [n, 3, ?]` */
export function describePort({ name, type, shape }: Port): string {
  const sizes = shape.map((size, axis) => size ?? (axis === 0 ? 'n' : '?'));
  return `${name} ${typeName(type)} [${sizes.join(', ')}]`;
}
