import type { OnnxTensor } from '#runtime/onnx/onnx-runtime.ts';
import { seededRandom } from '#shared/basics/seeded-random.ts';
import { shuffledBatches } from '#shared/training/batch-order.ts';

export interface TrainingSchedule {
  readonly count: number;
  /** At most `count` is used. */
  readonly batchSize: number;
  readonly epochs: number;
  /** Of the order of the examples. The same run gives the same bits on the same kind of machine. */
  readonly seed: number;
}

/** How far a run has come. */
export interface TrainingPosition {
  readonly steps: number;
  /** The mean loss over the examples, of each whole epoch, each taken before its step. */
  readonly epochLosses: readonly number[];
  /** The sum over the examples of the epoch that is not whole yet. */
  readonly openLoss: number;
}

/** The minibatches of a run, one after the other. */
export interface TrainingPlan {
  readonly stepsTotal: number;
  /** Examples in a minibatch. */
  readonly batchSize: number;
  /** The minibatches of the next `steps` steps, [steps, batchSize]. */
  takeOrder(steps: number): OnnxTensor;
  /** Takes note of the mean losses of steps that went well. */
  advance(stepLosses: Iterable<number>): void;
  position(): TrainingPosition;
}

const start: TrainingPosition = { steps: 0, epochLosses: [], openLoss: 0 };

/** Goes on `from` where another plan of the same schedule had come to. */
export function planTraining(schedule: TrainingSchedule, from = start): TrainingPlan {
  const { count, epochs, seed } = schedule;
  const batchSize = Math.min(schedule.batchSize, count);
  const stepsPerEpoch = Math.ceil(count / batchSize);
  const random = seededRandom(seed);
  let { steps, openLoss } = from;
  const epochLosses = [...from.epochLosses];
  let left = new BigInt64Array(0);
  const startEpoch = (): void => {
    left = shuffledBatches(count, batchSize, random);
  };
  for (let passed = steps; passed > 0; passed -= stepsPerEpoch) {
    startEpoch();
    left = left.subarray(Math.min(passed, stepsPerEpoch) * batchSize);
  }

  return {
    batchSize,
    stepsTotal: epochs * stepsPerEpoch,
    takeOrder(stepCount) {
      const order = new BigInt64Array(stepCount * batchSize);
      for (let filled = 0; filled < order.length; ) {
        if (left.length === 0) startEpoch();
        const taken = left.subarray(0, order.length - filled);
        order.set(taken, filled);
        filled += taken.length;
        left = left.subarray(taken.length);
      }
      return { shape: [stepCount, batchSize], data: order };
    },
    advance(stepLosses) {
      for (const loss of stepLosses) {
        const first = (steps % stepsPerEpoch) * batchSize;
        openLoss += loss * Math.min(batchSize, count - first);
        steps++;
        if (steps % stepsPerEpoch !== 0) continue;
        epochLosses.push(openLoss / count);
        openLoss = 0;
      }
    },
    position: () => ({ steps, epochLosses: [...epochLosses], openLoss }),
  };
}
