/** The wait doubles this often at most: up to 16 times the period. */
const DOUBLINGS_MAX = 4;

/**
 * How long to wait before another attempt to connect: the period, twice as long after each failed
 * one up to 16 times it, half of it random. A broker that accepts and drops at once is met with it
 * too: a connection counts as a failed attempt unless it lasted as long as the longest wait.
 */
export class BackOff {
  readonly #periodMs: number;
  #connectedAtMs: number | undefined;
  #failedAttempts = 0;

  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  connected(): void {
    this.#connectedAtMs = performance.now();
  }

  /** The wait after a connection, or an attempt at one, ended; milliseconds. */
  closed(): number {
    const longestMs = this.#periodMs * 2 ** DOUBLINGS_MAX;
    const lastedMs = performance.now() - (this.#connectedAtMs ?? Number.POSITIVE_INFINITY);
    this.#failedAttempts = lastedMs >= longestMs ? 0 : this.#failedAttempts + 1;
    this.#connectedAtMs = undefined;
    const doublings = Math.min(Math.max(this.#failedAttempts - 1, 0), DOUBLINGS_MAX);
    return this.#periodMs * 2 ** doublings * (0.5 + Math.random() / 2);
  }
}
