import { POINTS_MAX } from '#shared/twin/prediction/predictor.ts';
import { chainTrack } from '#shared/twin/prediction/report-chain.ts';
import {
  type ReportingState,
  startReporting,
  stepReporting,
  withPredictor,
} from '#shared/twin/prediction/reporting.ts';
import type { NewSample, Outbox } from '../outbox/outbox.ts';
import type { Reading } from '../sensors/sensor.ts';
import type { PropertyPlan } from './reporting-config.ts';

/** Before anything was tested. */
const FIRST_PREDICTOR = 'hold';

interface Reported {
  readonly state: ReportingState;
  /** Of the newest report. */
  readonly ordinal: number;
}

/** What becomes of readings: all goes into the outbox in one transaction, and then is kept. */
export interface Step {
  /** Everything that was measured. */
  readonly measured: readonly NewSample[];
  /** What of it is sent. */
  readonly taken: readonly NewSample[];
  /** Everything of the properties that are sent in part. */
  readonly kept: readonly NewSample[];
  readonly after: ReadonlyMap<string, Reported>;
}

/**
 * Decides which samples are sent: every one of a property without a plan, and of the others those
 * without which the twin would be off by more than the tolerance (`stepReporting`). Goes on after a
 * restart from the outbox's reports of this epoch, under the same policy; else it begins anew.
 */
export class Reporter {
  readonly plans: ReadonlyMap<string, PropertyPlan>;
  readonly #reported: Map<string, Reported>;
  /** Measurements since the start, by property. */
  readonly #measured = new Map<string, number>();

  constructor(plans: ReadonlyMap<string, PropertyPlan>, outbox: Pick<Outbox, 'newestOf'>) {
    this.plans = plans;
    this.#reported = new Map(
      [...plans].map(([property, plan]) => [property, recall(property, plan, outbox)]),
    );
  }

  /** What is to be done about readings; nothing is until {@link keep}. */
  take(readings: readonly Reading[]): Step {
    const measured = readings.flatMap(samplesOf);
    const taken: NewSample[] = [];
    const kept: NewSample[] = [];
    const after = new Map<string, Reported>();
    for (const sample of measured) {
      const { property } = sample;
      const before = after.get(property) ?? this.#reported.get(property);
      if (before === undefined) {
        taken.push(sample);
        continue;
      }
      kept.push(sample);
      const { reported, sent } = report(before, sample);
      after.set(property, reported);
      if (sent !== undefined) taken.push(sent);
    }
    return { measured, taken, kept, after };
  }

  /** To be called once all of a step is in the outbox. */
  keep({ kept, after }: Step): void {
    for (const [property, reported] of after) this.#reported.set(property, reported);
    for (const { property } of kept) {
      this.#measured.set(property, this.measuredOf(property) + 1);
    }
  }

  /**
   * Begins properties anew, all of them where none are named: their twin may not have what was
   * reported of them, or measurements were lost. The next sample of each is reported, and its
   * ordinal says that what was promised until then does not hold.
   */
  beginAnew(properties: Iterable<string> = this.plans.keys()): void {
    for (const property of new Set(properties)) {
      const reported = this.#reported.get(property);
      if (reported === undefined) continue;
      const { policy, chosen } = reported.state;
      const state = startReporting(policy, chosen);
      this.#reported.set(property, { state, ordinal: reported.ordinal + 1 });
    }
  }

  /** How many samples of a property were kept since the start. */
  measuredOf(property: string): number {
    return this.#measured.get(property) ?? 0;
  }

  /** The predictor that a property has from its next report on. */
  chosenOf(property: string): string {
    return this.#reported.get(property)?.state.chosen ?? FIRST_PREDICTOR;
  }

  /** Gives a property another predictor from its next report on. */
  choose(property: string, predictor: string): void {
    const reported = this.#reported.get(property);
    if (reported === undefined) return;
    this.#reported.set(property, {
      ...reported,
      state: withPredictor(reported.state, predictor),
    });
  }
}

/** The samples of a reading, before they have sequences. */
export function samplesOf({ timeMs, values }: Reading): NewSample[] {
  return values.map(({ property, value, quality }) => ({ property, timeMs, value, quality }));
}

function report(
  { state: before, ordinal }: Reported,
  sample: NewSample,
): { reported: Reported; sent?: NewSample } {
  const { state, report: made } = stepReporting(before, sample);
  if (made === undefined) return { reported: { state, ordinal } };
  const { timeMs, value, quality, predictor, depth } = made;
  const { tolerance, heartbeatMs } = state.policy;
  const mark = { predictor, depth, ordinal: ordinal + 1, tolerance, heartbeatMs };
  const sent = { property: sample.property, timeMs, value, quality, report: mark };
  return { reported: { state, ordinal: ordinal + 1 }, sent };
}

function recall(
  property: string,
  { policy, predictor }: PropertyPlan,
  outbox: Pick<Outbox, 'newestOf'>,
): Reported {
  const newest = outbox.newestOf(property, POINTS_MAX);
  const mark = newest.at(-1)?.report;
  const ordinal = mark?.ordinal ?? 0;
  const chosen = predictor === 'auto' ? (mark?.predictor ?? FIRST_PREDICTOR) : predictor;
  // An epoch before this one the edge node may have from another copy of the outbox.
  const present = newest.filter(({ sequence }) => sequence > 0);
  // What the twin holds the device to is in its newest report: another policy needs another.
  const isSame = mark?.tolerance === policy.tolerance && mark.heartbeatMs === policy.heartbeatMs;
  return {
    state: startReporting(policy, chosen, isSame ? chainTrack(present) : undefined),
    ordinal,
  };
}
