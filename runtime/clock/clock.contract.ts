import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from './clock.ts';

/** What every clock keeps; `pass` lets `durationMs` go by on the clock under test. */
export function clockContract(
  name: string,
  create: () => { clock: Clock; pass(durationMs: number): Promise<void> },
): void {
  describe(`clock: ${name}`, () => {
    it('runs a task once, after its delay', async () => {
      const { clock, pass } = create();
      let runs = 0;
      const start = clock.monotonicMs();
      clock.after(20, () => {
        runs++;
      });
      assert.equal(runs, 0);
      await pass(60);
      assert.equal(runs, 1);
      assert.ok(clock.monotonicMs() - start >= 20);
    });

    it('does not run a cancelled task', async () => {
      const { clock, pass } = create();
      let runs = 0;
      const cancel = clock.after(10, () => {
        runs++;
      });
      cancel();
      await pass(40);
      assert.equal(runs, 0);
    });

    it('runs tasks in the order of their times', async () => {
      const { clock, pass } = create();
      const order: string[] = [];
      clock.after(30, () => order.push('late'));
      clock.after(5, () => order.push('early'));
      await pass(80);
      assert.deepEqual(order, ['early', 'late']);
    });

    it('moves wall time with monotonic time', async () => {
      const { clock, pass } = create();
      const wall = clock.nowMs();
      await pass(20);
      assert.ok(clock.nowMs() > wall);
    });
  });
}
