import type { Clock } from '#runtime/clock/clock.ts';

export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** How much each may have: a burst, then so many a second. */
export class RateBudget {
  readonly #clock: Clock;
  readonly #rate: Rate;
  readonly #spent = new Map<string, { count: number; sinceMs: number }>();

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** Whether the one of that name, of whom there are few, may have one more. */
  spend(name: string): boolean {
    const { burst, perSecond } = this.#rate;
    const nowMs = this.#clock.monotonicMs();
    const spent = this.#spent.get(name) ?? { count: 0, sinceMs: nowMs };
    const refilled = Math.floor(((nowMs - spent.sinceMs) * perSecond) / 1000);
    const count = Math.max(0, spent.count - refilled);
    if (count >= burst) return false;
    const sinceMs = spent.sinceMs + (refilled * 1000) / perSecond;
    this.#spent.set(name, { count: count + 1, sinceMs });
    return true;
  }
}
