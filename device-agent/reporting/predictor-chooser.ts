import type { Clock } from '#runtime/clock/clock.ts';
import type { Log } from '#runtime/observe/log.ts';
import { type BackTest, backTest } from '#shared/twin/prediction/back-test.ts';
import { plainPredictors } from '#shared/twin/prediction/predictor.ts';
import { choosePredictor } from '#shared/twin/prediction/predictor-choice.ts';
import type { ReportingPolicy } from '#shared/twin/prediction/reporting.ts';
import type { PropertyTest } from '#shared/wire/reporting.ts';
import type { Measurement } from '../outbox/measured-record.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { Reporter } from './reporter.ts';

/** A property is tested on so many of its newest samples. */
const WINDOW_SAMPLES = 720;
/** Samples before the first test, and between one test and the next. */
const FIRST_SAMPLES = 64;
const BETWEEN_SAMPLES = 180;
/** No property is tested more often. */
const BETWEEN_MS = 10_000;
const LOOK_MS = 1000;
/** Between two slices of a test it rests so many times as long as the slice took. */
const REST_SHARE = 19;
const REST_MS_MIN = 20;

export interface PredictorChooserOptions {
  readonly reporter: Reporter;
  readonly outbox: Pick<Outbox, 'measured'>;
  readonly clock: Clock;
  readonly log: Log;
  /** There is a new test of some property. */
  readonly onTest: () => void;
}

interface Tested {
  readonly test: PropertyTest;
  readonly atMs: number;
  /** How many samples the reporter had by then. */
  readonly measured: number;
}

/**
 * Tests now and then, on the device's own record, which predictor would have said the least, and
 * how far the twin goes astray in silence. Works in slices of less than a millisecond, a twentieth
 * of the time, so that sampling does not wait for it.
 */
export class PredictorChooser implements Disposable {
  readonly #options: PredictorChooserOptions;
  readonly #tested = new Map<string, Tested>();
  #cancelWait: () => void = () => undefined;
  #isDisposed = false;

  constructor(options: PredictorChooserOptions) {
    this.#options = options;
    if (options.reporter.plans.size > 0) this.#look();
  }

  /** The newest test of each property. */
  tests(): PropertyTest[] {
    return [...this.#tested.values()].map(({ test }) => test);
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#cancelWait();
  }

  #look(): void {
    this.#cancelWait = this.#options.clock.after(LOOK_MS, () => {
      this.#testDue()
        .catch((error: Error) =>
          this.#options.log.warn({ reason: error.message }, 'predictors not tested'),
        )
        .finally(() => {
          if (!this.#isDisposed) this.#look();
        });
    });
  }

  async #testDue(): Promise<void> {
    for (const property of this.#options.reporter.plans.keys()) {
      if (this.#isDue(property)) await this.#testOne(property);
      if (this.#isDisposed) return;
    }
  }

  #isDue(property: string): boolean {
    const { reporter, clock } = this.#options;
    const measured = reporter.measuredOf(property);
    const last = this.#tested.get(property);
    if (last === undefined) return measured >= FIRST_SAMPLES;
    const isLongAgo = clock.monotonicMs() - last.atMs >= BETWEEN_MS;
    return isLongAgo && measured - last.measured >= BETWEEN_SAMPLES;
  }

  async #testOne(property: string): Promise<void> {
    const { reporter, outbox, clock, onTest, log } = this.#options;
    const { policy, predictor } = reporter.plans.get(property)!;
    const measured = reporter.measuredOf(property);
    const window = outbox.measured.newestOf(property, WINDOW_SAMPLES);
    const names = predictor === 'auto' ? plainPredictors.map(({ name }) => name) : [predictor];
    const tests: BackTest[] = [];
    for (const name of names) {
      const test = await this.#inSlices(window, policy, name);
      if (test === undefined) return;
      tests.push(test);
    }
    const present = reporter.chosenOf(property);
    const chosen = predictor === 'auto' ? choosePredictor(present, tests) : predictor;
    if (chosen !== present) log.info({ property, from: present, to: chosen }, 'predictor chosen');
    reporter.choose(property, chosen);
    const { errors } = tests.find((test) => test.predictor === chosen)!;
    const test = { property, predictor: chosen, errors: [...errors] };
    this.#tested.set(property, { test, measured, atMs: clock.monotonicMs() });
    onTest();
  }

  /** The test's outcome; `undefined` where the agent stops meanwhile. */
  async #inSlices(
    samples: readonly Measurement[],
    policy: ReportingPolicy,
    predictor: string,
  ): Promise<BackTest | undefined> {
    const { clock } = this.#options;
    const test = backTest(samples, policy, predictor);
    while (!this.#isDisposed) {
      const startMs = clock.monotonicMs();
      const turn = test.next();
      if (turn.done) return turn.value;
      const restMs = Math.max(REST_MS_MIN, REST_SHARE * (clock.monotonicMs() - startMs));
      await new Promise<void>((resolve) => {
        this.#cancelWait = clock.after(restMs, resolve);
      });
    }
    return undefined;
  }
}
