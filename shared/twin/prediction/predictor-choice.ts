import type { BackTest } from './back-test.ts';

/** What a challenger must save of the present predictor's reports to take its place. */
const SAVED_SHARE_MIN = 0.1;
const SAVED_REPORTS_MIN = 2;

/**
 * The name of the predictor that needs the fewest reports, of those that were tested on the same
 * samples; of equals the first. The present one stays unless another saves a tenth of its reports,
 * and two at least: between near equals a device would otherwise change with every hour. One that
 * was not tested, since its model is gone, gives way.
 */
export function choosePredictor(present: string, tests: readonly BackTest[]): string {
  const [first, ...others] = tests;
  if (first === undefined) return present;
  const best = others.reduce((a, b) => (b.reports < a.reports ? b : a), first);
  const held = tests.find(({ predictor }) => predictor === present);
  if (held === undefined) return best.predictor;
  const saved = held.reports - best.reports;
  const enough = Math.max(SAVED_REPORTS_MIN, SAVED_SHARE_MIN * held.reports);
  return saved >= enough ? best.predictor : present;
}
