import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planTraining, type TrainingPlan } from './training-plan.ts';

const schedule = { count: 10, batchSize: 4, epochs: 3, seed: 7 };

function takeAll(plan: TrainingPlan, chunks: readonly number[]): bigint[] {
  return chunks.flatMap((steps) => [...(plan.takeOrder(steps).data as BigInt64Array)]);
}

describe('a training plan', () => {
  it('takes every example once in each epoch', () => {
    const plan = planTraining(schedule);
    assert.equal(plan.stepsTotal, 9);
    const rows = takeAll(plan, [9]);
    for (let epoch = 0; epoch < 3; epoch++) {
      const taken = rows.slice(epoch * 12, (epoch + 1) * 12);
      assert.deepEqual(
        taken.toSorted((a, b) => Number(a - b)),
        [-1, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(BigInt),
      );
      assert.deepEqual(taken.slice(10), [-1n, -1n]);
    }
    assert.notDeepEqual(rows.slice(0, 12), rows.slice(12, 24));
  });

  it('goes on from any step as if it had not stopped', () => {
    const losses = [3, 1, 4, 1, 5, 9, 2, 6, 5];
    const whole = planTraining(schedule);
    const rows = takeAll(whole, [9]);
    whole.advance(losses);
    for (let steps = 0; steps <= 9; steps++) {
      const first = planTraining(schedule);
      first.takeOrder(steps);
      first.advance(losses.slice(0, steps));
      const second = planTraining(schedule, first.position());
      assert.deepEqual(takeAll(second, [9 - steps]), rows.slice(steps * 4), `after ${steps}`);
      second.advance(losses.slice(steps));
      assert.deepEqual(second.position(), whole.position());
    }
  });

  it('weighs the last minibatch of an epoch by its examples', () => {
    const plan = planTraining(schedule);
    plan.advance([1, 2, 3, 8]);
    assert.deepEqual(plan.position(), {
      steps: 4,
      epochLosses: [(4 * 1 + 4 * 2 + 2 * 3) / 10],
      openLoss: 32,
    });
  });

  it('takes minibatches no larger than the data', () => {
    const plan = planTraining({ ...schedule, batchSize: 11 });
    assert.equal(plan.batchSize, 10);
    assert.deepEqual(plan.takeOrder(1).shape, [1, 10]);
  });
});
