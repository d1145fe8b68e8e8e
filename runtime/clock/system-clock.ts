import type { Clock } from './clock.ts';
import { createClockShift } from './clock-shift.ts';

/** Set by a chaos run only, for clocks that jump: see {@link createClockShift}. */
const shiftFile = process.env.DITEN_CLOCK_SHIFT_FILE;
const shiftMs = shiftFile === undefined ? () => 0 : createClockShift(shiftFile);

/** The machine's own clock and timers. Pending timers do not keep the process alive. */
export const systemClock: Clock = {
  nowMs: () => Date.now() + shiftMs(),
  monotonicMs: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, Math.max(0, delayMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
