import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';

const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 8_000;

/** Whether the disk, rather than the program, is at fault: it may do better later. */
function isDiskTrouble(cause: unknown): cause is Error & { code: string } {
  return (
    cause instanceof Error &&
    'code' in cause &&
    /^SQLITE_(?:FULL|IOERR|BUSY|NOMEM)/.test(String(cause.code))
  );
}

export interface DurableStepOptions {
  readonly clock: Clock;
  readonly events: Events;
  /** Runs a later attempt, and takes what it throws. */
  guard(task: () => void): void;
}

/**
 * Writes that have to succeed before anything else happens. While one fails for want of disk, it
 * is tried again, ever more seldom, and nothing that follows from it is let go.
 */
export class DurableStep implements Disposable {
  readonly #options: DurableStepOptions;
  #code: string | undefined;
  #cancel: (() => void) | undefined;

  constructor(options: DurableStepOptions) {
    this.#options = options;
  }

  /** Why nothing can be written at the moment; undefined while all is well. */
  get trouble(): 'disk-full' | 'disk-failing' | undefined {
    if (this.#code === undefined) return undefined;
    return this.#code.startsWith('SQLITE_FULL') ? 'disk-full' : 'disk-failing';
  }

  /** Performs the write, then `then`: at once, or when the disk allows. Other errors are thrown. */
  run(write: () => void, then: () => void): void {
    this.#attempt({ write, then }, RETRY_MS_MIN);
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
  }

  #attempt(step: { write: () => void; then: () => void }, delayMs: number): void {
    try {
      step.write();
    } catch (cause) {
      if (!isDiskTrouble(cause)) throw cause;
      const { clock, events, guard } = this.#options;
      this.#code = cause.code;
      events.record('error', this.trouble!, { reason: cause.message, retryMs: delayMs });
      const nextMs = Math.min(2 * delayMs, RETRY_MS_MAX);
      this.#cancel = clock.after(delayMs, () => guard(() => this.#attempt(step, nextMs)));
      return;
    }
    this.#code = undefined;
    step.then();
  }
}
