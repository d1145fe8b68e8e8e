import type { Clock } from '#runtime/clock/clock.ts';

/** Votes beyond the next round: a burst, then one a second of each voter. */
const BURST = 32;
const REFILL_MS = 1000;

/**
 * How many votes of rounds far ahead are let in. The core keeps the newest of each voter only, but
 * each one that it took in lies in the write-ahead log until the height ends.
 */
export class FarBudget {
  readonly #clock: Clock;
  readonly #spent = new Map<string, { count: number; sinceMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the voter, who is a validator, may have one more. */
  spend(voter: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    const spent = this.#spent.get(voter) ?? { count: 0, sinceMs: nowMs };
    const refilled = Math.floor((nowMs - spent.sinceMs) / REFILL_MS);
    const count = Math.max(0, spent.count - refilled);
    if (count >= BURST) return false;
    this.#spent.set(voter, { count: count + 1, sinceMs: spent.sinceMs + refilled * REFILL_MS });
    return true;
  }
}
