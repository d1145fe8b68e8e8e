import type { onnx } from 'onnx-proto';
import onnxProto from 'onnx-proto';
import { ok, type Result } from '../../basics/result.ts';
import { refuse, type TrainingFailure } from '../training-failure.ts';

/** The message classes of onnx.proto; the package is CommonJS, so they hang on its default. */
export const {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  ValueInfoProto,
} = onnxProto.onnx;
export type AttributeProto = onnx.AttributeProto;
export type FunctionProto = onnx.FunctionProto;
export type GraphProto = onnx.GraphProto;
export type ModelProto = onnx.ModelProto;
export type NodeProto = onnx.NodeProto;
export type SparseTensorProto = onnx.SparseTensorProto;
export type TensorProto = onnx.TensorProto;
export type ValueInfoProto = onnx.ValueInfoProto;

/** TensorProto.DataType, as far as it is used here. */
export const dataType = { float32: 1, int64: 7, bool: 9, float64: 11 } as const;

export const modelSizeBytesMax = 512 * 1024 * 1024;

/** Errors: `model-too-large`, `not-onnx` (also for bytes cut short). */
export function decodeModel(bytes: Uint8Array): Result<ModelProto, TrainingFailure> {
  if (bytes.length > modelSizeBytesMax) {
    return refuse(
      'model-too-large',
      `the model has ${bytes.length} bytes, more than ${modelSizeBytesMax}; use a smaller one`,
    );
  }
  let model: ModelProto;
  try {
    model = ModelProto.decode(bytes);
  } catch (cause) {
    // A RangeError too, where hostile nesting exhausts the stack.
    return notOnnx(`${bytes.length} bytes, ${(cause as Error).message}`);
  }
  if (model.graph === null || model.graph === undefined) return notOnnx('it holds no graph');
  if (!model.graph.output?.length) return notOnnx('its graph has no output');
  if (model.opsetImport.length === 0) return notOnnx('it names no operator set');
  return ok(model);
}

/** The same message always gives the same bytes: fields go out in the order of their numbers. */
export function encodeModel(model: ModelProto): Uint8Array<ArrayBuffer> {
  return new Uint8Array(ModelProto.encode(model).finish());
}

function notOnnx(detail: string): Result<never, TrainingFailure> {
  return refuse(
    'not-onnx',
    `not an ONNX model, or one cut short (${detail}); check the file and its transfer`,
  );
}
