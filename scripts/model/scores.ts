import type { LossName } from '#shared/training/losses.ts';

/** How good predictions are, by the names people know. */
export type Scores = Readonly<Record<string, number>>;

interface Measure {
  /** What two models are compared by. */
  readonly main: string;
  readonly isMoreBetter: boolean;
  /** `predictions` [count, width] against `targets`, of the same size or of one class id a row. */
  score(predictions: ArrayLike<number>, targets: Float64Array): Scores;
}

/** Errors in the target's own units, or the share of right answers. */
export const measures: Readonly<Record<LossName, Measure>> = {
  mse: { main: 'rmse', isMoreBetter: false, score: errors },
  huber: { main: 'rmse', isMoreBetter: false, score: errors },
  'cross-entropy': { main: 'accuracy', isMoreBetter: true, score: classAccuracy },
  'binary-cross-entropy': { main: 'accuracy', isMoreBetter: true, score: binaryAccuracy },
};

function errors(predictions: ArrayLike<number>, targets: Float64Array): Scores {
  let squares = 0;
  let magnitudes = 0;
  targets.forEach((target, index) => {
    const error = predictions[index]! - target;
    squares += error ** 2;
    magnitudes += Math.abs(error);
  });
  return { rmse: Math.sqrt(squares / targets.length), mae: magnitudes / targets.length };
}

function classAccuracy(predictions: ArrayLike<number>, targets: Float64Array): Scores {
  const classes = predictions.length / targets.length;
  let right = 0;
  targets.forEach((target, row) => {
    let best = 0;
    for (let id = 1; id < classes; id++) {
      if (predictions[row * classes + id]! > predictions[row * classes + best]!) best = id;
    }
    if (best === target) right += 1;
  });
  return { accuracy: right / targets.length };
}

/** A logit above 0 says yes. */
function binaryAccuracy(predictions: ArrayLike<number>, targets: Float64Array): Scores {
  let right = 0;
  targets.forEach((target, index) => {
    if (predictions[index]! > 0 === target > 0.5) right += 1;
  });
  return { accuracy: right / targets.length };
}
