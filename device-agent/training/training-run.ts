import { createHash } from 'node:crypto';
import type { Clock } from '#runtime/clock/clock.ts';
import type { OnnxTensor, OnnxTensors } from '#runtime/onnx/onnx-runtime.ts';
import { assert } from '#shared/basics/assert.ts';
import { ok, type Result } from '#shared/basics/result.ts';
import { encodeTensors, type NamedTensor } from '#shared/codec/tensor.ts';
import {
  anchorName,
  correctionName,
  dataName,
  finalName,
  initialName,
  portNames,
} from '#shared/training/artefact-names.ts';
import { matchParameters } from '#shared/training/parameters.ts';
import { checkRun } from './check-run.ts';
import { createNoiseFeeds, type RunNoise } from './run-noise.ts';
import type { TrainingPace } from './training-pace.ts';
import { planTraining, type TrainingPosition, type TrainingSchedule } from './training-plan.ts';
import { rowsShape, type TrainerFailure, type TrainingTask } from './training-task.ts';

/** One piece of local training; the optimiser starts afresh. */
export interface TrainingRun extends TrainingSchedule {
  /** Those of the task's description: running statistics among them. */
  readonly parameters: readonly NamedTensor[];
  /** [count, inputSize] */
  readonly inputs: Float32Array<ArrayBuffer>;
  /** [count, targetSize]; class ids as 64-bit integers. */
  readonly targets: Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;
  readonly learningRate: number;
  /** How strongly a proximal task draws to the parameters above: mu of FedProx. */
  readonly proximalStrength?: number;
  /** What a task with a correction adds to each gradient, in the parameters' names and shapes. */
  readonly correction?: readonly NamedTensor[];
  /** What a task with noise on clipped gradients takes. */
  readonly noise?: RunNoise;
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
  /** Examples in a minibatch: those asked for, or all there are. */
  readonly batchSize: number;
}

export interface TrainingProgress {
  readonly steps: number;
  readonly stepsTotal: number;
  /** The mean over the steps of the last chunk. */
  readonly loss: number;
}

/** All that a run needs to go on as if it had never stopped. */
export interface TrainingCheckpoint extends TrainingPosition {
  /** SHA-256 of the task and everything in the run, in hex: no other run can go on from here. */
  readonly run: string;
  /** Parameters, running statistics, then what the optimiser carries along. */
  readonly state: readonly NamedTensor[];
}

interface CheckpointControl {
  /** Where to go on, if it is of this run. */
  readonly last?: TrainingCheckpoint | undefined;
  /** Time between two of them. */
  readonly intervalMs: number;
  save(checkpoint: TrainingCheckpoint): void;
}

export interface TrainingControl {
  /** Steps in one native call, which nothing can interrupt. */
  readonly chunkSteps: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly pace: TrainingPace;
  readonly checkpoints?: CheckpointControl | undefined;
  onProgress(progress: TrainingProgress): void;
}

/** Errors: `training-data-invalid`, `class-out-of-range`, `parameters-mismatch`. */
export async function runTraining(
  task: TrainingTask,
  run: TrainingRun,
  control: TrainingControl,
): Promise<Result<TrainingOutcome, TrainerFailure>> {
  const { manifest } = task;
  const matched = matchParameters(task.description.parameters, run.parameters);
  if (!matched.ok) return matched;
  const checked = checkRun(manifest, run);
  if (!checked.ok) return checked;

  const { clock, signal, checkpoints } = control;
  const digest = checkpoints === undefined ? '' : runDigest(task, run);
  const last = checkpoints?.last?.run === digest ? checkpoints.last : undefined;
  const plan = planTraining(run, last);
  const ofGradient = matched.value.slice(0, manifest.parameters.length);
  const fixed = { ...dataFeeds(task, run), ...termFeeds(ofGradient, run) };
  const noise = createNoiseFeeds(manifest, run.noise);
  const chunkSteps = Math.min(control.chunkSteps, noise?.stepsMax ?? control.chunkSteps);
  let state: readonly NamedTensor[] = last?.state ?? [...matched.value, ...manifest.slots];
  let { steps } = plan.position();
  let savedMs = clock.monotonicMs();
  let busyMs = 0;
  const save = (): void => {
    savedMs = clock.monotonicMs();
    checkpoints?.save({ run: digest, state, ...plan.position() });
  };
  const finish = (outcome: TrainingOutcome['outcome']) => {
    const parameters = state.slice(0, matched.value.length);
    const losses = plan.position().epochLosses;
    return ok({ outcome, parameters, losses, steps, batchSize: plan.batchSize });
  };

  while (steps < plan.stepsTotal) {
    await control.pace.rest(busyMs, signal);
    if (signal.aborted) {
      save();
      return finish('cancelled');
    }
    const startMs = clock.monotonicMs();
    const order = plan.takeOrder(Math.min(chunkSteps, plan.stepsTotal - steps));
    const varying = noise === undefined ? fixed : { ...fixed, ...noise.of(order, steps) };
    const chunk = await runChunk(task, { state, others: varying, order }, run.learningRate);
    if (!allFinite(chunk.losses) || !chunk.state.every((tensor) => allFinite(tensor.data))) {
      return finish('diverged');
    }
    state = chunk.state;
    plan.advance(chunk.losses);
    steps += chunk.losses.length;
    const loss = chunk.losses.reduce((sum, value) => sum + value, 0) / chunk.losses.length;
    control.onProgress({ steps, stepsTotal: plan.stepsTotal, loss });
    if (checkpoints && clock.monotonicMs() - savedMs >= checkpoints.intervalMs) save();
    busyMs = clock.monotonicMs() - startMs;
  }
  return finish('completed');
}

/** SHA-256 of what decides the outcome of a run, in hex. */
function runDigest(task: TrainingTask, run: TrainingRun): string {
  const { parameters, inputs, targets, correction = [], noise, ...numbers } = run;
  const { count, batchSize, epochs, seed, learningRate, proximalStrength = null } = numbers;
  const hash = createHash('sha256').update(task.epochDigest);
  hash.update(JSON.stringify([count, batchSize, epochs, seed, learningRate, proximalStrength]));
  if (noise) hash.update(JSON.stringify([noise.multiplier])).update(noise.seed);
  for (const tensors of [parameters, correction]) hash.update(encodeTensors(tensors));
  return hash.update(inputs).update(targets).digest('hex');
}

interface Chunk {
  /** Parameters, running statistics, slots. */
  readonly state: readonly NamedTensor[];
  /** All other inputs. */
  readonly others: OnnxTensors;
  /** [steps, batchSize] */
  readonly order: OnnxTensor;
}

async function runChunk(
  task: TrainingTask,
  { state, others, order }: Chunk,
  learningRate: number,
): Promise<{ losses: Float32Array; state: NamedTensor[] }> {
  const steps = order.shape[0]!;
  const outputs = await task.epoch.run({
    ...namedFeeds(state, initialName),
    ...others,
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

function dataFeeds({ manifest }: TrainingTask, run: TrainingRun): OnnxTensors {
  const { inputs, target } = manifest;
  return {
    [dataName(inputs[0]!.name)]: { shape: rowsShape(inputs[0]!, run.count), data: run.inputs },
    [dataName(target.name)]: { shape: rowsShape(target, run.count), data: run.targets },
  };
}

function termFeeds(
  parameters: readonly NamedTensor[],
  { proximalStrength, correction = [] }: TrainingRun,
): OnnxTensors {
  if (proximalStrength === undefined) return namedFeeds(correction, correctionName);
  return {
    ...namedFeeds(correction, correctionName),
    ...namedFeeds(parameters, anchorName),
    [portNames.proximal]: { shape: [], data: Float32Array.of(proximalStrength) },
  };
}

function namedFeeds(
  tensors: readonly NamedTensor[],
  rename: (name: string) => string,
): OnnxTensors {
  return Object.fromEntries(tensors.map((tensor) => [rename(tensor.name), tensor]));
}

function floats(tensor: OnnxTensor | undefined): Float32Array<ArrayBuffer> {
  assert(tensor?.data instanceof Float32Array, 'a float32 task gives float32 outputs');
  return tensor.data as Float32Array<ArrayBuffer>;
}

function allFinite(values: Float32Array): boolean {
  return values.every(Number.isFinite);
}
