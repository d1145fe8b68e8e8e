import type { Clock } from '#runtime/clock/clock.ts';

/** How much of the machine training takes: it calculates and rests in turns. */
export interface TrainingPace {
  /** While held, a rest does not end. */
  hold(isHeld: boolean): void;
  /** Rests after `busyMs` of calculation; ends at once where the signal is, or gets, aborted. */
  rest(busyMs: number, signal: AbortSignal): Promise<void>;
}

/**
 * `cpuShare` (more than 0, at most 1) is the share of the time to calculate in: after b ms it
 * rests for b (1 / cpuShare - 1) ms.
 */
export function createTrainingPace(clock: Clock, cpuShare: number): TrainingPace {
  let isHeld = false;
  let release = (): void => undefined;
  return {
    hold(held) {
      isHeld = held;
      if (!held) release();
    },
    async rest(busyMs, signal) {
      const idleMs = busyMs * (1 / cpuShare - 1);
      if (idleMs > 0) await unlessAborted(signal, (done) => clock.after(idleMs, done));
      while (isHeld && !signal.aborted) {
        await unlessAborted(signal, (done) => {
          release = done;
          return () => undefined;
        });
      }
    },
  };
}

/** Waits for `done` or the abort; `start` returns what gives up waiting. */
async function unlessAborted(
  signal: AbortSignal,
  start: (done: () => void) => () => void,
): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  const giveUp = start(resolve);
  await promise;
  giveUp();
}
