import type { Clock } from './clock.ts';

export interface ManualClock extends Clock {
  /** Moves time on by `durationMs`, running what falls due on the way, in order of its time. */
  advance(durationMs: number): void;
}

/** A clock that moves only when told to. */
export function createManualClock(startMs = 0): ManualClock {
  let elapsedMs = 0;
  let tasks: { dueMs: number; task: () => void }[] = [];

  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    after(delayMs, task) {
      const entry = { dueMs: elapsedMs + Math.max(0, delayMs), task };
      tasks.push(entry);
      return () => {
        tasks = tasks.filter((other) => other !== entry);
      };
    },
    advance(durationMs) {
      const endMs = elapsedMs + durationMs;
      for (;;) {
        const next = tasks
          .filter(({ dueMs }) => dueMs <= endMs)
          .sort((a, b) => a.dueMs - b.dueMs)[0];
        if (next === undefined) break;
        tasks = tasks.filter((other) => other !== next);
        elapsedMs = Math.max(elapsedMs, next.dueMs);
        next.task();
      }
      elapsedMs = endMs;
    },
  };
}
