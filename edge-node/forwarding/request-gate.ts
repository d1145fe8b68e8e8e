/** Requests to one peer: a few at a time, and few that wait for their turn. */
export class RequestGate {
  readonly #atOnceMax: number;
  readonly #waitingMax: number;
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];

  constructor({ atOnceMax, waitingMax }: { atOnceMax: number; waitingMax: number }) {
    this.#atOnceMax = atOnceMax;
    this.#waitingMax = waitingMax;
  }

  /** Whether another one would be turned away. */
  get isFull(): boolean {
    return this.#waiting.length >= this.#waitingMax;
  }

  /** Does the work when its turn comes. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#atOnceMax) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#underWay += 1;
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay -= 1;
      else next();
    }
  }
}
