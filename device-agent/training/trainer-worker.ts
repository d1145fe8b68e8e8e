import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { assert } from '#shared/basics/assert.ts';
import { fail, ok, type Result } from '#shared/basics/result.ts';
import type {
  TrainerAnswer,
  TrainerAsks,
  TrainerCall,
  TrainerCallKind,
  TrainerReply,
  TrainerRequest,
  TrainerWorkerOptions,
} from './trainer-protocol.ts';
import { createTrainingPace } from './training-pace.ts';
import { runTraining } from './training-run.ts';
import { openTrainingTask, type TrainerFailure, type TrainingTask } from './training-task.ts';

// The training worker. Definitions and runs follow one another in the order they are asked for;
// predictions are made between two chunks of a run.

type OpenedTask = Result<TrainingTask, TrainerFailure>;

assert(parentPort !== null, 'the training worker runs in a worker thread');
const port: MessagePort = parentPort;
const { chunkSteps, cpuShare } = workerData as TrainerWorkerOptions;
const pace = createTrainingPace(systemClock, cpuShare);

let task: Promise<OpenedTask> = Promise.resolve(
  fail('task-undefined', 'no training task is defined; define one first'),
);
let lastInQueue: Promise<unknown> = task;
const closing = new AbortController();
const runs = new Map<number, AbortController>();

port.on('message', (request: TrainerRequest) => {
  switch (request.kind) {
    case 'cancel':
      runs.get(request.id)?.abort();
      return;
    case 'hold':
      pace.hold(request.isHeld);
      return;
    case 'close':
      closing.abort();
      void enqueue(close);
      return;
    default:
      void respond(request);
  }
});

async function respond(call: TrainerCall): Promise<void> {
  try {
    send({ kind: 'answer', id: call.id, answer: await answer(call) });
  } catch (cause) {
    send({ kind: 'error', id: call.id, message: (cause as Error).message });
  }
}

function answer(call: TrainerCall): Promise<TrainerAnswer<TrainerCallKind>> {
  switch (call.kind) {
    case 'define-task':
      return defineTask(call.asks);
    case 'use-parameters':
      return withTask(async (opened) => opened.useParameters(call.asks));
    case 'predict':
      return withTask((opened) => opened.predict(call.asks.inputs, call.asks.count));
    case 'train':
      return train(call.id, call.asks);
  }
}

async function defineTask(spec: TrainerAsks<'define-task'>): Promise<TrainerAnswer<'define-task'>> {
  const former = task;
  task = enqueue(() => openTrainingTask(nodeOnnxRuntime, spec));
  const opened = await task;
  await dispose(await former);
  return opened.ok ? ok(opened.value.description) : opened;
}

async function train(
  id: number,
  { run, isCancelled, checkpoints }: TrainerAsks<'train'>,
): Promise<TrainerAnswer<'train'>> {
  const cancel = new AbortController();
  if (isCancelled) cancel.abort();
  runs.set(id, cancel);
  const wanted = task;
  try {
    return await enqueue(async () => {
      const opened = await wanted;
      if (!opened.ok) return opened;
      return runTraining(opened.value, run, {
        chunkSteps,
        pace,
        clock: systemClock,
        signal: AbortSignal.any([cancel.signal, closing.signal]),
        checkpoints: checkpoints && {
          ...checkpoints,
          save: (checkpoint) => send({ kind: 'checkpoint', id, checkpoint }),
        },
        onProgress: (progress) => send({ kind: 'progress', id, progress }),
      });
    });
  } finally {
    runs.delete(id);
  }
}

async function withTask<T>(
  use: (opened: TrainingTask) => Promise<Result<T, TrainerFailure>>,
): Promise<Result<T, TrainerFailure>> {
  const opened = await task;
  return opened.ok ? use(opened.value) : opened;
}

/** Runs `work` when all that was asked for before is done, whether that went well or not. */
function enqueue<T>(work: () => Promise<T>): Promise<T> {
  const done = lastInQueue.then(work, work);
  lastInQueue = done;
  return done;
}

async function close(): Promise<void> {
  await dispose(await task);
  port.close();
}

async function dispose(opened: OpenedTask): Promise<void> {
  if (opened.ok) await opened.value[Symbol.asyncDispose]();
}

function send(reply: TrainerReply): void {
  port.postMessage(reply);
}
