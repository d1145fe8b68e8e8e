import { createHash } from 'node:crypto';
import type { OnnxRuntime, OnnxSession, OnnxTensor } from '#runtime/onnx/onnx-runtime.ts';
import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import type { NamedTensor } from '#shared/codec/tensor.ts';
import {
  compileTraining,
  type TrainingGraphs,
  type TrainingManifest,
} from '#shared/training/compile-training.ts';
import type { TrainingOptions } from '#shared/training/differentiate.ts';
import { findBlocker } from '#shared/training/inspect-model.ts';
import { dataType } from '#shared/training/model/onnx-proto.ts';
import { shapeSize } from '#shared/training/model/onnx-tensor.ts';
import type { Port } from '#shared/training/model/shape.ts';
import { matchParameters } from '#shared/training/parameters.ts';
import type { TrainingFailure } from '#shared/training/training-failure.ts';
import type { RunFailure } from './check-run.ts';
import { learnShapes } from './learn-shapes.ts';

/** What is to be trained, and how. */
export interface TrainingTaskSpec extends Omit<TrainingOptions, 'shapes'> {
  /** An ONNX model with one float32 input and one float32 output to train, a row per example. */
  readonly model: Uint8Array;
}

export interface TrainingTaskDescription {
  /** SHA-256 of the model's bytes, in hex. */
  readonly modelDigest: string;
  /**
   * What training changes, as it stands in the model: the parameters, then the running statistics
   * of batch normalisation. Names, order and shapes of all that is given and taken.
   */
  readonly parameters: readonly NamedTensor[];
  /** Values in one example's input, and in its output. */
  readonly inputSize: number;
  readonly outputSize: number;
  /** What each example is compared with; int64 for class ids. */
  readonly target: Port;
}

export type TrainerFailure = RunFailure | Failure<'task-undefined' | 'input-unsupported'>;

/** A compiled task with its sessions loaded. */
export interface TrainingTask extends AsyncDisposable {
  readonly description: TrainingTaskDescription;
  readonly manifest: TrainingManifest;
  /** The `epoch` graph. */
  readonly epoch: OnnxSession;
  /** SHA-256 of its bytes, in hex. */
  readonly epochDigest: string;
  /** Sets what {@link predict} uses; the model's own values until then. */
  useParameters(parameters: readonly NamedTensor[]): Result<undefined, TrainerFailure>;
  /** `inputs` is [count, inputSize]; gives [count, outputSize]. */
  predict(
    inputs: Float32Array<ArrayBuffer>,
    count: number,
  ): Promise<Result<Float32Array<ArrayBuffer>, TrainerFailure>>;
}

/**
 * Compiles the model and loads what trains and runs it.
 *
 * Errors: those of `compileTraining`; `input-unsupported`.
 */
export async function openTrainingTask(
  runtime: OnnxRuntime,
  spec: TrainingTaskSpec,
): Promise<Result<TrainingTask, TrainerFailure>> {
  const compiled = await compileTask(runtime, spec);
  if (!compiled.ok) return compiled;
  const { manifest, epoch, predict } = compiled.value;
  const inputSize = rowSize(manifest.inputs);
  const outputSize = rowSize([manifest.output]);
  if (inputSize === undefined || outputSize === undefined) {
    return fail(
      'input-unsupported',
      'a training task takes a model with one float32 input and one float32 output, both of ' +
        'fixed size but for the batch; export it so',
    );
  }
  const { modelDigest, target } = manifest;
  const parameters = [...manifest.parameters, ...manifest.statistics];
  const description = { modelDigest, parameters, inputSize, outputSize, target };
  return ok({
    ...createTask(description, manifest, {
      epoch: await runtime.load(epoch),
      predict: await runtime.load(predict),
    }),
    epochDigest: createHash('sha256').update(epoch).digest('hex'),
  });
}

/** Most models state what is needed; the others are run once to learn their shapes. */
export async function compileTask(
  runtime: OnnxRuntime,
  { model, ...options }: TrainingTaskSpec,
): Promise<Result<TrainingGraphs, TrainingFailure>> {
  const compiled = compileTraining(model, options);
  if (compiled.ok || compiled.error.code !== 'shape-unknown') return compiled;
  const shapes = await learnShapes(runtime, model);
  // What the runtime does not know it cannot run, so the operator to blame is looked up instead.
  if (!shapes.ok) return findBlocker(model, options) ?? shapes;
  return compileTraining(model, { ...options, shapes: shapes.value });
}

function createTask(
  description: TrainingTaskDescription,
  manifest: TrainingManifest,
  sessions: { readonly epoch: OnnxSession; readonly predict: OnnxSession },
): Omit<TrainingTask, 'epochDigest'> {
  const input = manifest.inputs[0]!;
  let parameterFeeds = namedFeeds(description.parameters);
  return {
    description,
    manifest,
    epoch: sessions.epoch,
    useParameters(parameters) {
      const matched = matchParameters(description.parameters, parameters);
      if (!matched.ok) return matched;
      parameterFeeds = namedFeeds(matched.value);
      return ok(undefined);
    },
    async predict(inputs, count) {
      if (count < 1 || inputs.length !== count * description.inputSize) {
        return fail(
          'training-data-invalid',
          `${inputs.length} values are not ${count} examples of ${description.inputSize}; pass ` +
            'one row per example',
        );
      }
      const x = { shape: rowsShape(input, count), data: inputs };
      const outputs = await sessions.predict.run({ ...parameterFeeds, [input.name]: x });
      const values = outputs[manifest.output.name]!.data;
      return ok(Float32Array.from(values as Float32Array));
    },
    async [Symbol.asyncDispose]() {
      await sessions.epoch[Symbol.asyncDispose]();
      await sessions.predict[Symbol.asyncDispose]();
    },
  };
}

/** The shape of `count` rows of a port whose other dimensions are fixed. */
export function rowsShape({ shape }: Port, count: number): number[] {
  return shape.map((size) => size ?? count);
}

function namedFeeds(parameters: readonly NamedTensor[]): Record<string, OnnxTensor> {
  return Object.fromEntries(parameters.map((tensor) => [tensor.name, tensor]));
}

/** Values in one row, where there is one float32 port and only its first dimension is free. */
function rowSize([port, ...others]: readonly Port[]): number | undefined {
  if (port === undefined || others.length > 0 || port.type !== dataType.float32) return undefined;
  const sizes = port.shape.slice(1).filter((size) => size !== null);
  return sizes.length === port.shape.length - 1 ? shapeSize(sizes) : undefined;
}
