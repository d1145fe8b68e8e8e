import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { RateBudget } from './rate-budget.ts';

it('a budget gives each a burst, and then so many a second', () => {
  const clock = createManualClock(0);
  const budget = new RateBudget(clock, { burst: 10, perSecond: 4 });
  const spend = (name: string) => {
    let count = 0;
    while (budget.spend(name)) count++;
    return count;
  };
  assert.deepEqual([spend('a'), spend('b'), spend('a')], [10, 10, 0]);
  clock.advance(300);
  assert.equal(spend('a'), 1);
  clock.advance(200);
  assert.equal(spend('a'), 1, 'what was left of a refill is not lost');
  clock.advance(60_000);
  assert.equal(spend('a'), 10, 'no more than a burst is saved up');
});
