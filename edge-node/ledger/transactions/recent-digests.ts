/** The digests added last, twice `halfMax` at most. */
export class RecentDigests {
  readonly #halfMax: number;
  #newer = new Set<string>();
  #older = new Set<string>();

  constructor(halfMax: number) {
    this.#halfMax = halfMax;
  }

  add(digest: string): void {
    if (this.#newer.size >= this.#halfMax) {
      this.#older = this.#newer;
      this.#newer = new Set();
    }
    this.#newer.add(digest);
  }

  has(digest: string): boolean {
    return this.#newer.has(digest) || this.#older.has(digest);
  }
}
