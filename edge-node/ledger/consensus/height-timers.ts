import type { Clock } from '#runtime/clock/clock.ts';
import type { TimeoutStep } from '#shared/ledger/consensus/round-machine.ts';

/** How long a validator waits for the others. */
export interface ConsensusTiming {
  /** For the proposal of round 0. */
  readonly proposeMs: number;
  /** For the missing votes of round 0, once a quorum has voted for different things. */
  readonly voteMs: number;
  /** What each further round adds to both: sooner or later it is enough. */
  readonly growthMs: number;
  /** How often a validator says again where it stands. */
  readonly resendMs: number;
  /** A block is made this long after the last one though there is nothing to say. */
  readonly heartbeatMs: number;
}

/** For a local network of machines that are busy with other things too. */
export const consensusTiming: ConsensusTiming = {
  proposeMs: 500,
  voteMs: 200,
  growthMs: 200,
  resendMs: 1_000,
  heartbeatMs: 60_000,
};

/** The timers of one height after the other. */
export class HeightTimers implements Disposable {
  readonly #clock: Clock;
  readonly #timing: ConsensusTiming;
  readonly #cancels = new Set<() => void>();
  #cancelTick: () => void = () => undefined;

  constructor(clock: Clock, timing: ConsensusTiming) {
    this.#clock = clock;
    this.#timing = timing;
  }

  schedule(step: TimeoutStep, round: number, task: () => void): void {
    const { proposeMs, voteMs, growthMs } = this.#timing;
    this.#after((step === 'propose' ? proposeMs : voteMs) + round * growthMs, task);
  }

  heartbeat(task: () => void): void {
    this.#after(this.#timing.heartbeatMs, task);
  }

  /** Runs the task again and again, whatever the height. */
  every(task: () => void): void {
    this.#cancelTick = this.#clock.after(this.#timing.resendMs, () => {
      this.every(task);
      task();
    });
  }

  /** Forgets all timers of the height. */
  clear(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }

  [Symbol.dispose](): void {
    this.clear();
    this.#cancelTick();
  }

  #after(delayMs: number, task: () => void): void {
    const cancel = this.#clock.after(delayMs, () => {
      this.#cancels.delete(cancel);
      task();
    });
    this.#cancels.add(cancel);
  }
}
