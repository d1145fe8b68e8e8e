import type { Clock } from '#runtime/clock/clock.ts';

/**
 * How fast the history may follow. History is what the outbox held when a connection began; what is
 * taken since goes at once. A second's worth may be saved up.
 */
export class HistoryPace {
  readonly #clock: Clock;
  readonly #perSecond: number;
  #through = 0;
  #saved: number;
  #savedMs: number;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#saved = perSecond;
    this.#savedMs = clock.monotonicMs();
  }

  /** A connection begins; all samples up to that sequence are history. */
  begin(through: number): void {
    this.#through = through;
  }

  /** How many of the samples behind that sequence may go now; `countMax` at most. */
  allowance(afterSequence: number, countMax: number): number {
    if (afterSequence >= this.#through) return countMax;
    const nowMs = this.#clock.monotonicMs();
    const earned = ((nowMs - this.#savedMs) * this.#perSecond) / 1000;
    this.#saved = Math.min(this.#perSecond, this.#saved + earned);
    this.#savedMs = nowMs;
    return Math.min(countMax, Math.floor(this.#saved));
  }

  /** So many samples went, the first behind that sequence. */
  spend(afterSequence: number, count: number): void {
    if (afterSequence < this.#through) this.#saved -= count;
  }

  /** Until so many may go, or as many as ever may. */
  waitMs(count: number): number {
    const missing = Math.min(count, this.#perSecond) - this.#saved;
    return Math.max(0, Math.ceil((missing * 1000) / this.#perSecond));
  }
}
