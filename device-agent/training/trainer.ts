import { Worker } from 'node:worker_threads';
import { disableOnnxTelemetry } from '#runtime/onnx/telemetry.ts';
import type { NamedTensor } from '#shared/codec/tensor.ts';
import type { PredictRequest, TrainerAnswer, TrainerWorkerOptions } from './trainer-protocol.ts';
import { connectTrainerThread, TrainerStopped, type TrainerThread } from './trainer-thread.ts';
import type { TrainingProgress, TrainingRun } from './training-run.ts';
import type { TrainingTaskSpec } from './training-task.ts';

export interface TrainerOptions {
  /** Steps in one native call: cancelling and predictions wait that long. 100 unless given. */
  readonly chunkSteps?: number;
  /** Starts the worker thread; a test may start one that fails. */
  readonly createWorker?: (options: TrainerWorkerOptions) => Worker;
}

interface TrainOptions {
  /** Ends the run after its present chunk, with the outcome `cancelled`. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TrainingProgress) => void;
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

/** The worker itself starts with the first call. */
export function startTrainer(options: TrainerOptions = {}): Trainer {
  const { chunkSteps = 100, createWorker = createTrainerWorker } = options;
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
      const thread = connectTrainerThread(createWorker({ chunkSteps }));
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
    async train(run, { signal, onProgress } = {}) {
      const { inputs, targets } = run;
      const moved = { ...run, inputs: wholeBuffer(inputs), targets: wholeBuffer(targets) };
      const transfer = [...new Set([moved.inputs.buffer, moved.targets.buffer])];
      return (await readyThread()).call('train', moved, { transfer, signal, onProgress });
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

function createTrainerWorker(options: TrainerWorkerOptions): Worker {
  disableOnnxTelemetry();
  return new Worker(new URL('./trainer-worker.ts', import.meta.url), {
    name: 'trainer',
    workerData: options,
  });
}

/** A view of a larger buffer is copied, since a buffer moves as a whole. */
function wholeBuffer(values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  return values.byteLength === values.buffer.byteLength ? values : values.slice();
}
