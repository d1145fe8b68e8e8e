import { Worker } from 'node:worker_threads';
import type { Clock } from '#runtime/clock/clock.ts';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { disableOnnxTelemetry } from '#runtime/onnx/telemetry.ts';
import { assert } from '#shared/basics/assert.ts';
import type { NamedTensor } from '#shared/codec/tensor.ts';
import type { CheckpointSlot } from './checkpoint-store.ts';
import type { PredictRequest, TrainerAnswer, TrainerWorkerOptions } from './trainer-protocol.ts';
import { connectTrainerThread, TrainerStopped, type TrainerThread } from './trainer-thread.ts';
import type { TrainingProgress, TrainingRun } from './training-run.ts';
import type { TrainingTaskSpec } from './training-task.ts';

/** What training may take of the device. */
export interface TrainingBudget {
  /** The share of the time to calculate in, more than 0; 1 unless given. */
  readonly cpuShare?: number;
  /** Asked every second while it trains: at `false` it pauses after its present chunk. */
  readonly mayTrain?: () => boolean;
}

export interface TrainerOptions {
  /** Steps in one native call: cancelling and predictions wait that long. 100 unless given. */
  readonly chunkSteps?: number;
  readonly budget?: TrainingBudget;
  /** Time between two checkpoints of a run; 10 s unless given. */
  readonly checkpointIntervalMs?: number;
  readonly clock?: Clock;
  /** Starts the worker thread; a test may start one that fails. */
  readonly createWorker?: (options: TrainerWorkerOptions) => Worker;
}

interface TrainOptions {
  /** Ends the run after its present chunk, or before its first, with the outcome `cancelled`. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TrainingProgress) => void;
  /**
   * Where the run saves how far it has come, from time to time and when it is cancelled; the same
   * run goes on from there, to the same bits. Where saving fails the call rejects with the reason.
   */
  readonly checkpoints?: CheckpointSlot;
}

/**
 * Trains and runs one model in a worker thread, so that the calling thread never waits for a
 * calculation. What can be expected to fail comes as a `Result`. A call rejects with
 * `TrainerStopped` where the worker dies under it or the trainer is disposed of; the next call
 * starts a new worker with the same task and parameters.
 */
export interface Trainer extends AsyncDisposable {
  /** Compiles the model and makes it the one the other calls mean. */
  defineTask(spec: TrainingTaskSpec): Promise<TrainerAnswer<'define-task'>>;
  /** Sets the parameters `predict` uses; the model's own until then. */
  useParameters(parameters: readonly NamedTensor[]): Promise<TrainerAnswer<'use-parameters'>>;
  /** `run.inputs` and `run.targets` move to the worker: these arrays are empty afterwards. */
  train(run: TrainingRun, options?: TrainOptions): Promise<TrainerAnswer<'train'>>;
  /** `inputs` is [count, inputSize]; gives [count, outputSize]. */
  predict(request: PredictRequest): Promise<TrainerAnswer<'predict'>>;
}

const BUDGET_CHECK_MS = 1000;

/** The worker itself starts with the first call. */
export function startTrainer(options: TrainerOptions = {}): Trainer {
  const { chunkSteps = 100, budget = {}, createWorker = createTrainerWorker } = options;
  const { clock = systemClock, checkpointIntervalMs = 10_000 } = options;
  const { cpuShare = 1, mayTrain = () => true } = budget;
  assert(cpuShare > 0 && cpuShare <= 1, `a CPU share of ${cpuShare} is not above 0 and at most 1`);
  let isClosed = false;
  let running: { readonly thread: TrainerThread; readonly ready: Promise<unknown> } | undefined;
  let task: TrainingTaskSpec | undefined;
  let parameters: readonly NamedTensor[] | undefined;

  const restore = async (thread: TrainerThread): Promise<void> => {
    if (task !== undefined) await thread.call('define-task', task);
    if (parameters !== undefined) await thread.call('use-parameters', parameters);
  };
  const readyThread = async (): Promise<TrainerThread> => {
    if (isClosed) throw new TrainerStopped('the trainer is closed');
    if (running === undefined) {
      const thread = connectTrainerThread(createWorker({ chunkSteps, cpuShare }));
      const started = { thread, ready: restore(thread) };
      running = started;
      void thread.ended.then(() => {
        if (running === started) running = undefined;
      });
    }
    const { thread, ready } = running;
    await ready;
    return thread;
  };

  return {
    async defineTask(spec) {
      const answer = await (await readyThread()).call('define-task', spec);
      task = answer.ok ? spec : undefined;
      parameters = undefined;
      return answer;
    },
    async useParameters(given) {
      const answer = await (await readyThread()).call('use-parameters', given);
      if (answer.ok) parameters = given;
      return answer;
    },
    async train(run, trainOptions = {}) {
      const thread = await readyThread();
      using _ = holdUnless(mayTrain, { thread, clock });
      return await train(thread, run, { ...trainOptions, intervalMs: checkpointIntervalMs });
    },
    async predict(request) {
      return (await readyThread()).call('predict', request);
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      await running?.thread.close();
    },
  };
}

async function train(
  thread: TrainerThread,
  run: TrainingRun,
  { signal, onProgress, checkpoints, intervalMs }: TrainOptions & { readonly intervalMs: number },
): Promise<TrainerAnswer<'train'>> {
  const moved = { ...run, inputs: wholeBuffer(run.inputs), targets: wholeBuffer(run.targets) };
  const failing = new AbortController();
  const answer = await thread.call(
    'train',
    {
      run: moved,
      isCancelled: signal?.aborted ?? false,
      checkpoints: checkpoints && { last: checkpoints.load(), intervalMs },
    },
    {
      transfer: [...new Set([moved.inputs.buffer, moved.targets.buffer])],
      signal: signal ? AbortSignal.any([signal, failing.signal]) : failing.signal,
      onProgress,
      onCheckpoint(checkpoint) {
        try {
          checkpoints?.save(checkpoint);
        } catch (cause) {
          failing.abort(cause);
        }
      },
    },
  );
  failing.signal.throwIfAborted();
  return answer;
}

/** Asks now and every second, and holds or lets go accordingly, until disposed of. */
function holdUnless(
  mayTrain: () => boolean,
  { thread, clock }: { thread: TrainerThread; clock: Clock },
): Disposable {
  let cancel: () => void;
  const check = (): void => {
    thread.hold(!mayTrain());
    cancel = clock.after(BUDGET_CHECK_MS, check);
  };
  check();
  return { [Symbol.dispose]: () => cancel() };
}

/**
 * Of JavaScript's young objects: the worker makes few, the runtime calculates outside. The usual
 * 48 MB took 9 to 14 MB more memory with an MLP of 160,000 parameters, and no less time.
 */
const YOUNG_SIZE_MB_MAX = 2;

function createTrainerWorker(options: TrainerWorkerOptions): Worker {
  disableOnnxTelemetry();
  return new Worker(new URL('./trainer-worker.ts', import.meta.url), {
    name: 'trainer',
    workerData: options,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_SIZE_MB_MAX },
  });
}

/** A view of a larger buffer is copied, since a buffer moves as a whole. */
function wholeBuffer<T extends Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>>(
  values: T,
): T {
  return values.byteLength === values.buffer.byteLength ? values : (values.slice() as T);
}
