import type { OnnxTensor, OnnxTensors } from '#runtime/onnx/onnx-runtime.ts';
import { assert } from '#shared/basics/assert.ts';
import { fail, ok, type Result } from '#shared/basics/result.ts';
import { seededRandom } from '#shared/basics/seeded-random.ts';
import type { NamedTensor } from '#shared/codec/tensor.ts';
import { dataName, finalName, initialName, portNames } from '#shared/training/artefact-names.ts';
import { shuffledBatches } from '#shared/training/batch-order.ts';
import { matchParameters } from '#shared/training/parameters.ts';
import { rowsShape, type TrainerFailure, type TrainingTask } from './training-task.ts';

/** One piece of local training; the optimiser starts afresh. */
export interface TrainingRun {
  readonly parameters: readonly NamedTensor[];
  /** [count, inputSize] */
  readonly inputs: Float32Array<ArrayBuffer>;
  /** [count, outputSize] */
  readonly targets: Float32Array<ArrayBuffer>;
  readonly count: number;
  /** At most `count` is used. */
  readonly batchSize: number;
  readonly epochs: number;
  readonly learningRate: number;
  /** Of the order of the examples. The same run gives the same bits on the same kind of machine. */
  readonly seed: number;
}

export interface TrainingOutcome {
  /**
   * `diverged`: a loss or parameter stopped being a number; the parameters are those before the
   * chunk of steps it happened in. `cancelled`: those reached by then.
   */
  readonly outcome: 'completed' | 'cancelled' | 'diverged';
  readonly parameters: readonly NamedTensor[];
  /** The mean loss over the examples, of each whole epoch, each taken before its step. */
  readonly losses: readonly number[];
  /** Steps that went into `parameters`. */
  readonly steps: number;
}

export interface TrainingProgress {
  readonly steps: number;
  readonly stepsTotal: number;
  /** The mean over the steps of the last chunk. */
  readonly loss: number;
}

export interface TrainingControl {
  /** Steps in one native call, which nothing can interrupt. */
  readonly chunkSteps: number;
  isCancelled(): boolean;
  onProgress(progress: TrainingProgress): void;
}

/** Errors: `training-data-invalid`, `parameters-mismatch`. */
export async function runTraining(
  task: TrainingTask,
  run: TrainingRun,
  control: TrainingControl,
): Promise<Result<TrainingOutcome, TrainerFailure>> {
  const { parameters, slots } = task.manifest;
  const matched = matchParameters(parameters, run.parameters);
  if (!matched.ok) return matched;
  const checked = checkRun(task, run);
  if (!checked.ok) return checked;

  const plan = planSteps(run);
  const data = dataFeeds(task, run);
  const losses: number[] = [];
  let state: readonly NamedTensor[] = [...matched.value, ...slots];
  const finish = (outcome: TrainingOutcome['outcome']) =>
    ok({
      outcome,
      parameters: state.slice(0, parameters.length),
      losses: plan.epochLosses(losses),
      steps: losses.length,
    });
  while (losses.length < plan.stepsTotal) {
    if (control.isCancelled()) return finish('cancelled');
    const order = plan.takeOrder(Math.min(control.chunkSteps, plan.stepsTotal - losses.length));
    const chunk = await runChunk(task, { state, data, order }, run.learningRate);
    if (!allFinite(chunk.losses) || !chunk.state.every((tensor) => allFinite(tensor.data))) {
      return finish('diverged');
    }
    state = chunk.state;
    losses.push(...chunk.losses);
    const loss = chunk.losses.reduce((sum, value) => sum + value, 0) / chunk.losses.length;
    control.onProgress({ steps: losses.length, stepsTotal: plan.stepsTotal, loss });
  }
  return finish('completed');
}

interface Chunk {
  /** Parameters, then slots. */
  readonly state: readonly NamedTensor[];
  readonly data: OnnxTensors;
  /** [steps, batchSize] */
  readonly order: OnnxTensor;
}

async function runChunk(
  task: TrainingTask,
  { state, data, order }: Chunk,
  learningRate: number,
): Promise<{ losses: Float32Array; state: NamedTensor[] }> {
  const steps = order.shape[0]!;
  const outputs = await task.epoch.run({
    ...Object.fromEntries(state.map((tensor) => [initialName(tensor.name), tensor])),
    ...data,
    [portNames.order]: order,
    [portNames.rates]: { shape: [steps], data: new Float32Array(steps).fill(learningRate) },
  });
  return {
    losses: floats(outputs[portNames.losses]),
    state: state.map(({ name, shape }) => ({
      name,
      shape,
      data: floats(outputs[finalName(name)]),
    })),
  };
}

interface StepPlan {
  readonly stepsTotal: number;
  /** The minibatches of the next `steps` steps. */
  takeOrder(steps: number): OnnxTensor;
  /** The mean loss over the examples of each epoch that the steps so far make whole. */
  epochLosses(stepLosses: readonly number[]): number[];
}

function planSteps({ count, batchSize, epochs, seed }: TrainingRun): StepPlan {
  const width = Math.min(batchSize, count);
  const stepsPerEpoch = Math.ceil(count / width);
  const random = seededRandom(seed);
  let left = new BigInt64Array(0);
  return {
    stepsTotal: epochs * stepsPerEpoch,
    takeOrder(steps) {
      const order = new BigInt64Array(steps * width);
      for (let filled = 0; filled < order.length; ) {
        if (left.length === 0) left = shuffledBatches(count, width, random);
        const taken = left.subarray(0, order.length - filled);
        order.set(taken, filled);
        filled += taken.length;
        left = left.subarray(taken.length);
      }
      return { shape: [steps, width], data: order };
    },
    epochLosses(stepLosses) {
      return Array.from({ length: Math.floor(stepLosses.length / stepsPerEpoch) }, (_, epoch) => {
        const losses = stepLosses.slice(epoch * stepsPerEpoch, (epoch + 1) * stepsPerEpoch);
        const rows = (step: number) => Math.min(width, count - step * width);
        return losses.reduce((sum, loss, step) => sum + loss * rows(step), 0) / count;
      });
    },
  };
}

function dataFeeds({ manifest }: TrainingTask, run: TrainingRun): OnnxTensors {
  const { inputs, output } = manifest;
  return {
    [dataName(inputs[0]!.name)]: { shape: rowsShape(inputs[0]!, run.count), data: run.inputs },
    [dataName(portNames.target)]: { shape: rowsShape(output, run.count), data: run.targets },
  };
}

function checkRun(
  { description }: TrainingTask,
  run: TrainingRun,
): Result<undefined, TrainerFailure> {
  const { count, batchSize, epochs, learningRate } = run;
  for (const [name, value] of Object.entries({ count, batchSize, epochs })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      return invalid(`${name} is ${value}; give a whole number of 1 or more`);
    }
  }
  if (!Number.isFinite(learningRate)) return invalid(`the learning rate is ${learningRate}`);
  const parts = [
    { name: 'inputs', data: run.inputs, size: description.inputSize },
    { name: 'targets', data: run.targets, size: description.outputSize },
  ];
  for (const { name, data, size } of parts) {
    if (data.length !== count * size) {
      return invalid(
        `${name} has ${data.length} values, ${count} examples of ${size} need ${count * size}`,
      );
    }
    const bad = data.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      return invalid(
        `${name} holds ${data[bad]} in example ${Math.floor(bad / size)}; leave that example out`,
      );
    }
  }
  return ok(undefined);
}

function invalid(message: string): Result<never, TrainerFailure> {
  return fail('training-data-invalid', message);
}

function floats(tensor: OnnxTensor | undefined): Float32Array<ArrayBuffer> {
  assert(tensor?.data instanceof Float32Array, 'a float32 task gives float32 outputs');
  return tensor.data as Float32Array<ArrayBuffer>;
}

function allFinite(values: Float32Array): boolean {
  return values.every(Number.isFinite);
}
