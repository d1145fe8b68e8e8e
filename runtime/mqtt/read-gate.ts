/** Messages in hand beyond which nothing more is read, unless an answer is awaited. */
const IN_HAND_MAX = 64;
/** The same, whatever is awaited. */
const IN_HAND_LIMIT = 1024;

/**
 * Decides when the next packet may be read, so that slow handlers slow the sender down. An answer
 * that is awaited may stand behind the messages in hand, and a handler may be the one who awaits
 * it: then reading goes on up to a higher limit.
 */
export class ReadGate {
  #inHand = 0;
  #awaited = 0;
  #readOn: (() => void) | undefined;

  /** Runs `readOn`, the reader's only one at a time, when there is room. */
  whenOpen(readOn: () => void): void {
    this.#readOn = readOn;
    this.#release();
  }

  /** Counts a message as in hand until `done` settles. */
  hold(done: Promise<void>): void {
    this.#inHand++;
    void done.finally(() => {
      this.#inHand--;
      this.#release();
    });
  }

  /** Counts an answer as awaited until the returned function is called. */
  expectAnswer(): () => void {
    this.#awaited++;
    this.#release();
    return () => {
      this.#awaited--;
    };
  }

  #release(): void {
    const max = this.#awaited > 0 ? IN_HAND_LIMIT : IN_HAND_MAX;
    if (this.#inHand >= max) return;
    const readOn = this.#readOn;
    this.#readOn = undefined;
    readOn?.();
  }
}
