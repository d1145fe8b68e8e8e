import type { Transferable, Worker } from 'node:worker_threads';
import type {
  TrainerAnswer,
  TrainerAsks,
  TrainerCall,
  TrainerCallKind,
  TrainerReply,
  TrainerRequest,
} from './trainer-protocol.ts';
import type { TrainingCheckpoint, TrainingProgress } from './training-run.ts';

/** The training worker died, or was told to end, before it answered. */
export class TrainerStopped extends Error {
  override readonly name = 'TrainerStopped';
}

interface CallOptions {
  readonly transfer?: readonly Transferable[];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: TrainingProgress) => void) | undefined;
  readonly onCheckpoint?: ((checkpoint: TrainingCheckpoint) => void) | undefined;
}

/** One training worker, from its start to its end. */
export interface TrainerThread {
  /** Settles when the worker has ended. */
  readonly ended: Promise<void>;
  /** Rejects with {@link TrainerStopped} where the worker ends first. */
  call<Kind extends TrainerCallKind>(
    kind: Kind,
    asks: TrainerAsks<Kind>,
    options?: CallOptions,
  ): Promise<TrainerAnswer<Kind>>;
  /** Keeps training from its next chunk, or lets it go on. */
  hold(isHeld: boolean): void;
  /** Lets the worker end after its present chunk. */
  close(): Promise<void>;
}

interface PendingCall {
  resolve(answer: TrainerAnswer<TrainerCallKind>): void;
  reject(reason: Error): void;
  readonly onProgress: CallOptions['onProgress'];
  readonly onCheckpoint: CallOptions['onCheckpoint'];
}

export function connectTrainerThread(worker: Worker): TrainerThread {
  const pending = new Map<number, PendingCall>();
  let callCount = 0;
  let failure: Error | undefined;
  const post = (request: TrainerRequest, transfer: readonly Transferable[] = []): void =>
    worker.postMessage(request, transfer);

  worker.on('message', (reply: TrainerReply) => settle(pending, reply));
  worker.on('error', (error) => {
    failure = error;
  });
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', (code) => {
      const reason = failure === undefined ? `exit code ${code}` : failure.message;
      const stopped = new TrainerStopped(`the training worker stopped: ${reason}`, {
        cause: failure,
      });
      for (const { reject } of pending.values()) reject(stopped);
      pending.clear();
      resolve();
    });
  });

  return {
    ended,
    call(kind, asks, { transfer, signal, ...listeners } = {}) {
      const id = callCount++;
      const cancel = () => post({ kind: 'cancel', id });
      const answered = new Promise<TrainerAnswer<TrainerCallKind>>((resolve, reject) => {
        const { onProgress, onCheckpoint } = listeners;
        pending.set(id, { resolve, reject, onProgress, onCheckpoint });
      });
      post({ kind, id, asks } as TrainerCall, transfer);
      signal?.addEventListener('abort', cancel, { once: true });
      // The worker answers a call with what the protocol says it answers.
      return answered.finally(() => signal?.removeEventListener('abort', cancel)) as never;
    },
    hold: (isHeld) => post({ kind: 'hold', isHeld }),
    async close() {
      post({ kind: 'close' });
      await ended;
    },
  };
}

function settle(pending: Map<number, PendingCall>, reply: TrainerReply): void {
  const call = pending.get(reply.id);
  if (call === undefined) return;
  switch (reply.kind) {
    case 'progress':
      call.onProgress?.(reply.progress);
      return;
    case 'checkpoint':
      call.onCheckpoint?.(reply.checkpoint);
      return;
    case 'answer':
      pending.delete(reply.id);
      call.resolve(reply.answer);
      return;
    case 'error':
      pending.delete(reply.id);
      call.reject(new Error(reply.message));
  }
}
