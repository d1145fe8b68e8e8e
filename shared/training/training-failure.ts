import { err, type Failure, type Result } from '../basics/result.ts';

/** Why a model cannot be trained, or parameters cannot be put into it. */
export type TrainingFailureCode =
  /** Not a protobuf of an ONNX model, or one cut short. */
  | 'not-onnx'
  /** More bytes than `modelSizeBytesMax`. */
  | 'model-too-large'
  /** An ONNX model whose graph contradicts itself. */
  | 'model-invalid'
  /** The operator set is older or newer than the rules were checked for. */
  | 'opset-unsupported'
  /** Weights lie in files beside the model. */
  | 'external-data'
  /** A node between a parameter and the loss has no gradient rule. */
  | 'unsupported-operator'
  /** A rule or the loss needs a shape that the model does not state: learn the shapes first. */
  | 'shape-unknown'
  /** Nothing in the model can be trained. */
  | 'no-trainable-parameter'
  /** A number in the options makes no sense. */
  | 'option-invalid'
  /** A name in the options is not one of the model's parameters. */
  | 'unknown-parameter'
  /** The output that is trained is not a float tensor with a row per example. */
  | 'output-unsupported'
  /** Parameters given do not fit the model's names and shapes. */
  | 'parameters-mismatch';

export interface NodeFacts {
  readonly name: string;
  readonly operator: string;
  readonly domain: string;
  readonly opset: number;
}

export interface TrainingFailure extends Failure<TrainingFailureCode> {
  /** The node at fault, where it is one. */
  readonly node?: NodeFacts;
}

export function refuse(
  code: TrainingFailureCode,
  message: string,
  node?: NodeFacts,
): Result<never, TrainingFailure> {
  return err(node === undefined ? { code, message } : { code, message, node });
}
