import type { Result } from '#shared/basics/result.ts';
import type { NamedTensor } from '#shared/codec/tensor.ts';
import type {
  TrainingCheckpoint,
  TrainingOutcome,
  TrainingProgress,
  TrainingRun,
} from './training-run.ts';
import type { TrainerFailure, TrainingTaskDescription, TrainingTaskSpec } from './training-task.ts';

export interface PredictRequest {
  /** [count, inputSize] */
  readonly inputs: Float32Array<ArrayBuffer>;
  readonly count: number;
}

export interface TrainRequest {
  readonly run: TrainingRun;
  /** Whether it was cancelled before it began: a message of its own could come too late. */
  readonly isCancelled: boolean;
  /** Where the run wants checkpoints: the last one there is, and the time between two. */
  readonly checkpoints?:
    | { readonly last: TrainingCheckpoint | undefined; readonly intervalMs: number }
    | undefined;
}

/** What can be asked of the training worker, and what each asks and answers. */
interface TrainerCalls {
  readonly 'define-task': { asks: TrainingTaskSpec; answers: TrainingTaskDescription };
  readonly 'use-parameters': { asks: readonly NamedTensor[]; answers: undefined };
  readonly train: { asks: TrainRequest; answers: TrainingOutcome };
  readonly predict: { asks: PredictRequest; answers: Float32Array<ArrayBuffer> };
}

export type TrainerCallKind = keyof TrainerCalls;
export type TrainerAsks<Kind extends TrainerCallKind> = TrainerCalls[Kind]['asks'];
export type TrainerAnswer<Kind extends TrainerCallKind> = Result<
  TrainerCalls[Kind]['answers'],
  TrainerFailure
>;

export type TrainerCall = {
  [Kind in TrainerCallKind]: {
    readonly kind: Kind;
    readonly id: number;
    readonly asks: TrainerAsks<Kind>;
  };
}[TrainerCallKind];

/** From the main thread to the worker. */
export type TrainerRequest =
  | TrainerCall
  /** Ends the training run of that id at the next chunk. */
  | { readonly kind: 'cancel'; readonly id: number }
  /** Keeps training from its next chunk, or lets it go on. */
  | { readonly kind: 'hold'; readonly isHeld: boolean }
  /** Ends the worker at the next chunk: a thread inside the native runtime must not be killed. */
  | { readonly kind: 'close' };

/** From the worker to the main thread; `id` is the call's. */
export type TrainerReply =
  | {
      readonly kind: 'answer';
      readonly id: number;
      readonly answer: TrainerAnswer<TrainerCallKind>;
    }
  /** Something that was not expected to fail did. */
  | { readonly kind: 'error'; readonly id: number; readonly message: string }
  | { readonly kind: 'progress'; readonly id: number; readonly progress: TrainingProgress }
  | { readonly kind: 'checkpoint'; readonly id: number; readonly checkpoint: TrainingCheckpoint };

/** What the main thread hands the worker at its start. */
export interface TrainerWorkerOptions {
  readonly chunkSteps: number;
  /** The share of the time to calculate in, more than 0 and at most 1. */
  readonly cpuShare: number;
}
