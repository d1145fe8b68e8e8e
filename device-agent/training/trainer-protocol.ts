import type { Result } from '#shared/basics/result.ts';
import type { NamedTensor } from '#shared/codec/tensor.ts';
import type { TrainingOutcome, TrainingProgress, TrainingRun } from './training-run.ts';
import type { TrainerFailure, TrainingTaskDescription, TrainingTaskSpec } from './training-task.ts';

export interface PredictRequest {
  /** [count, inputSize] */
  readonly inputs: Float32Array<ArrayBuffer>;
  readonly count: number;
}

/** What can be asked of the training worker, and what each asks and answers. */
interface TrainerCalls {
  readonly 'define-task': { asks: TrainingTaskSpec; answers: TrainingTaskDescription };
  readonly 'use-parameters': { asks: readonly NamedTensor[]; answers: undefined };
  readonly train: { asks: TrainingRun; answers: TrainingOutcome };
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
  | { readonly kind: 'progress'; readonly id: number; readonly progress: TrainingProgress };

/** What the main thread hands the worker at its start. */
export interface TrainerWorkerOptions {
  readonly chunkSteps: number;
}
