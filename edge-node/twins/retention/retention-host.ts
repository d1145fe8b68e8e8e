import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { TwinStore } from '../twin-store.ts';

/** Between two looks whether there is something to remove. */
const IDLE_MS = 10_000;
/** Between two pieces of work: most of the time is left to those who commit. */
const BUSY_MS = 20;

export interface RetentionHostOptions {
  readonly store: TwinStore;
  readonly clock: Clock;
  readonly events: Events;
}

/** Removes what need not be kept any longer, piece by piece. */
export class RetentionHost implements Disposable {
  readonly #options: RetentionHostOptions;
  #cancel: () => void = () => undefined;

  constructor(options: RetentionHostOptions) {
    this.#options = options;
    this.#after(IDLE_MS);
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }

  #after(delayMs: number): void {
    this.#cancel = this.#options.clock.after(delayMs, () => {
      this.#after(this.#sweep() ? BUSY_MS : IDLE_MS);
    });
  }

  #sweep(): boolean {
    const { store, clock, events } = this.#options;
    try {
      return store.sweep(clock.nowMs());
    } catch (error) {
      // A full disk, for one: nothing was removed, and it is tried again.
      events.record('error', 'retention-failed', { reason: (error as Error).message });
      return false;
    }
  }
}
