import type { Clock } from '#runtime/clock/clock.ts';
import type { Log } from './log.ts';

export type EventLevel = 'info' | 'warn' | 'error';

/** What happened that somebody may have to answer for: each kind counted, and logged in measure. */
export interface Events {
  record(level: EventLevel, code: string, facts?: Readonly<Record<string, unknown>>): void;
  /** How often each code occurred since the start. */
  counts(): Readonly<Record<string, number>>;
}

const LOGGED_PER_SECOND_MAX = 5;

/**
 * Counts every event, and logs at most 5 of each code a second: a peer that misbehaves fills no
 * disk. The codes are the program's own, so the counts are bounded.
 */
export function createEvents(log: Log, clock: Clock): Events {
  const counts = new Map<string, number>();
  const budgets = new Map<string, { second: number; left: number; silent: number }>();

  return {
    record(level, code, facts = {}) {
      counts.set(code, (counts.get(code) ?? 0) + 1);
      const second = Math.floor(clock.monotonicMs() / 1000);
      let budget = budgets.get(code);
      if (budget?.second !== second) {
        budget = { second, left: LOGGED_PER_SECOND_MAX, silent: budget?.silent ?? 0 };
        budgets.set(code, budget);
      }
      if (budget.left === 0) {
        budget.silent++;
        return;
      }
      budget.left--;
      log[level](budget.silent > 0 ? { ...facts, notLogged: budget.silent } : facts, code);
      budget.silent = 0;
    },
    counts: () => Object.fromEntries([...counts].sort()),
  };
}
