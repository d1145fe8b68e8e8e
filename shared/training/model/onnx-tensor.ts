import { dataType, TensorProto } from './onnx-proto.ts';

/** The element types parameters may have. */
export type FloatType = typeof dataType.float32 | typeof dataType.float64;

export function isFloatType(type: number): type is FloatType {
  return type === dataType.float32 || type === dataType.float64;
}

export function isExternal(tensor: TensorProto): boolean {
  return tensor.dataLocation === TensorProto.DataLocation.EXTERNAL;
}

export function tensorShape(tensor: TensorProto): number[] {
  return tensor.dims.map(Number);
}

export function shapeSize(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/**
 * The values of a float or double tensor as float32, or `undefined` where its data do not fit its
 * shape. A copy: it keeps nothing of the model alive.
 */
export function tensorToFloat32(tensor: TensorProto): Float32Array<ArrayBuffer> | undefined {
  const isDouble = tensor.dataType === dataType.float64;
  const size = shapeSize(tensorShape(tensor));
  if (tensor.rawData === undefined || tensor.rawData.length === 0) {
    const values = isDouble ? tensor.doubleData : tensor.floatData;
    return values.length === size ? Float32Array.from(values) : undefined;
  }
  if (tensor.rawData.length !== size * (isDouble ? 8 : 4)) return undefined;
  const bytes = new Uint8Array(tensor.rawData).buffer;
  return isDouble ? Float32Array.from(new Float64Array(bytes)) : new Float32Array(bytes);
}

/** A float or double initialiser with little-endian raw data. */
export function floatTensor(
  name: string,
  shape: readonly number[],
  { type, data }: { type: FloatType; data: ArrayLike<number> },
): TensorProto {
  const values = type === dataType.float64 ? Float64Array.from(data) : Float32Array.from(data);
  return TensorProto.create({
    name,
    dims: [...shape],
    dataType: type,
    rawData: new Uint8Array(values.buffer),
  });
}

export function int64Tensor(
  name: string,
  shape: readonly number[],
  data: readonly number[],
): TensorProto {
  const values = BigInt64Array.from(data, BigInt);
  return TensorProto.create({
    name,
    dims: [...shape],
    dataType: dataType.int64,
    rawData: new Uint8Array(values.buffer),
  });
}
