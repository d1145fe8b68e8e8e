import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { HistoryPace } from './history-pace.ts';

describe('the pace of the history', () => {
  it('is so many samples a second, what came since the connection began not counted', () => {
    const clock = createManualClock();
    const pace = new HistoryPace(clock, 1000);
    pace.begin(10_000);
    let after = 0;
    const go = () => {
      const count = pace.allowance(after, 500);
      pace.spend(after, count);
      after += count;
      return count;
    };
    assert.deepEqual([go(), go(), go()], [500, 500, 0]);
    assert.equal(pace.waitMs(500), 500);
    clock.advance(500);
    assert.deepEqual([go(), go()], [500, 0]);
    clock.advance(60_000);
    assert.deepEqual([go(), go(), go()], [500, 500, 0]);
    after = 10_000;
    assert.deepEqual([go(), go(), go()], [500, 500, 500]);
    assert.equal(pace.allowance(0, 500), 0);
  });

  it('leaves no debt that a later second has to pay more than once', () => {
    const clock = createManualClock();
    const pace = new HistoryPace(clock, 100);
    pace.begin(1000);
    pace.spend(0, 100);
    clock.advance(10);
    assert.equal(pace.allowance(100, 500), 1);
    assert.equal(pace.waitMs(500), 990);
  });
});
