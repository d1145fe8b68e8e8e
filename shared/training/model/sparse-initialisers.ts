import { ok, type Result } from '../../basics/result.ts';
import { refuse, type TrainingFailure } from '../training-failure.ts';
import {
  dataType,
  GraphProto,
  ModelProto,
  modelSizeBytesMax,
  type SparseTensorProto,
  TensorProto,
} from './onnx-proto.ts';
import { isExternal, shapeSize, tensorShape } from './onnx-tensor.ts';

const bytesPerElement = new Map<number, number>([
  [dataType.float32, 4],
  [dataType.float64, 8],
  [dataType.int64, 8],
]);

/**
 * The model with its sparse initialisers (ONNX IR, SparseTensorProto) made dense: zeros, but for
 * the values at the indices given, which are int64 [count] into the flat tensor or [count, rank].
 *
 * Errors: `model-invalid`, `model-too-large`, `external-data`.
 */
export function densify(model: ModelProto): Result<ModelProto, TrainingFailure> {
  const sparse = (model.graph?.sparseInitializer ?? []) as SparseTensorProto[];
  if (sparse.length === 0) return ok(model);
  const initializer = [...(model.graph?.initializer ?? [])];
  for (const tensor of sparse) {
    const dense = toDense(tensor);
    if (!dense.ok) return dense;
    initializer.push(dense.value);
  }
  const graph = GraphProto.create({ ...model.graph, initializer, sparseInitializer: [] });
  return ok(ModelProto.create({ ...model, graph }));
}

function toDense({
  values,
  indices,
  dims,
}: SparseTensorProto): Result<TensorProto, TrainingFailure> {
  const held = TensorProto.create({ ...values });
  const { name, dataType: type } = held;
  const places = TensorProto.create({ ...indices });
  if (isExternal(held) || isExternal(places)) {
    return refuse(
      'external-data',
      `the values of ${name} lie in a file beside the model; save it with all data inside`,
    );
  }
  const shape = (dims ?? []).map(Number);
  const width = bytesPerElement.get(type);
  const flat = flatIndices(places, shape);
  const bytes = elementBytes(held);
  const size = shapeSize(shape);
  if (width === undefined || bytes?.length !== flat.length * width || !flat.every(within(size))) {
    return refuse(
      'model-invalid',
      `the sparse initialiser ${name} is not one of float, double or int64 values with an index ` +
        'for each; save it as a dense one',
    );
  }
  if (size * width > modelSizeBytesMax) {
    return refuse(
      'model-too-large',
      `the sparse initialiser ${name} has ${size} elements, too many to be made dense; use a ` +
        'smaller one',
    );
  }
  const rawData = new Uint8Array(size * width);
  flat.forEach((place, at) => {
    rawData.set(bytes.subarray(at * width, (at + 1) * width), place * width);
  });
  return ok(TensorProto.create({ name, dims: shape, dataType: type, rawData }));
}

function within(size: number) {
  return (place: number) => Number.isInteger(place) && place >= 0 && place < size;
}

/** The place of each value in the flat tensor. */
function flatIndices(places: TensorProto, shape: readonly number[]): number[] {
  const raw = places.dataType === dataType.int64 ? elementBytes(places) : undefined;
  const numbers = Array.from(new BigInt64Array(raw?.buffer ?? []), Number);
  if (tensorShape(places).length !== 2) return numbers;
  const rank = shape.length;
  return Array.from({ length: Math.floor(numbers.length / rank) }, (_, at) =>
    shape.reduce((flat, size, axis) => flat * size + numbers[at * rank + axis]!, 0),
  );
}

/** A copy of the elements' bytes, little-endian, wherever the tensor keeps them. */
function elementBytes(tensor: TensorProto): Uint8Array<ArrayBuffer> | undefined {
  if (tensor.rawData?.length) {
    const bytes = new Uint8Array(tensor.rawData);
    return bytes.length % (bytesPerElement.get(tensor.dataType) ?? 1) === 0 ? bytes : undefined;
  }
  switch (tensor.dataType) {
    case dataType.float32:
      return new Uint8Array(Float32Array.from(tensor.floatData).buffer);
    case dataType.float64:
      return new Uint8Array(Float64Array.from(tensor.doubleData).buffer);
    case dataType.int64:
      return new Uint8Array(BigInt64Array.from(tensor.int64Data, (v) => BigInt(`${v}`)).buffer);
    default:
      return undefined;
  }
}
