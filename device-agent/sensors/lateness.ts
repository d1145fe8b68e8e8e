/** The smallest time told apart from none, in milliseconds. */
const FLOOR_MS = 1 / 8;
/** Buckets per doubling: a quantile is right to within 19 %. */
const PER_OCTAVE = 4;

export interface LatenessSummary {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** How late things were, in a histogram that stays small however many are recorded. */
export class Lateness {
  readonly #counts: number[] = [];
  #count = 0;
  #maxMs = 0;

  record(lateMs: number): void {
    const octaves = Math.log2(Math.max(lateMs, FLOOR_MS) / FLOOR_MS);
    const bucket = Math.ceil(octaves * PER_OCTAVE);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#maxMs = Math.max(this.#maxMs, lateMs);
  }

  /** Milliseconds; all 0 where nothing was recorded. */
  summary(): LatenessSummary {
    return { p50: this.#quantile(0.5), p99: this.#quantile(0.99), max: this.#maxMs };
  }

  #quantile(share: number): number {
    let below = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      below += count ?? 0;
      if (below >= share * this.#count && below > 0) {
        return Math.min(FLOOR_MS * 2 ** (bucket / PER_OCTAVE), this.#maxMs);
      }
    }
    return 0;
  }
}
