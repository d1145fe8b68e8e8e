import type { Database } from '#runtime/database/database.ts';
import { backTest, type SilenceError } from '#shared/twin/prediction/back-test.ts';
import { type Quality, qualities } from '#shared/twin/sample.ts';
import type { DeviceProperty } from './twin-tracks.ts';

/** A test takes a third of a millisecond with so many samples. */
const WINDOW_SAMPLES = 128;
/** Tests within one span of time, so that asking for everything at once holds nothing up. */
const TESTS_MAX = 16;
const SPAN_MS = 100;
/** Properties whose tests are remembered; of the others the test is made again. */
const REMEMBERED_MAX = 1000;

/** Every sample is sent, so the twin holds what it has until the next. */
const NO_POLICY = { tolerance: 0, heartbeatMs: Number.MAX_SAFE_INTEGER };

interface HeldTest {
  readonly errors: readonly SilenceError[];
  /** Of the newest sample by then, and how far the window goes back from it. */
  readonly newestMs: number;
  readonly spanMs: number;
}

/**
 * How far off the last value of a property was after so long, by the newest samples that are stored
 * of it: for properties of which every sample is sent, whose devices test nothing.
 */
export class HeldTests {
  readonly #newest: ReturnType<typeof prepare>;
  readonly #tests = new Map<string, HeldTest>();
  #span = 0;
  #testsInSpan = 0;

  constructor(database: Database) {
    this.#newest = prepare(database);
  }

  /**
   * The errors of a property whose newest sample is of `newestMs`; tested anew once that has moved
   * on by a quarter of what was tested. None where there was too much to test at once.
   */
  errorsOf(of: DeviceProperty, newestMs: number, nowMs: number): readonly SilenceError[] {
    const key = `${of.device} ${of.property}`;
    const known = this.#tests.get(key);
    const isFresh = known !== undefined && Math.abs(newestMs - known.newestMs) <= known.spanMs / 4;
    if (isFresh || !this.#mayTest(nowMs)) return known?.errors ?? [];
    const test = this.#test(of);
    this.#tests.delete(key);
    this.#tests.set(key, { ...test, newestMs });
    if (this.#tests.size > REMEMBERED_MAX) this.#tests.delete(this.#tests.keys().next().value!);
    return test.errors;
  }

  #mayTest(nowMs: number): boolean {
    const span = Math.floor(nowMs / SPAN_MS);
    if (span !== this.#span) this.#testsInSpan = 0;
    this.#span = span;
    this.#testsInSpan += 1;
    return this.#testsInSpan <= TESTS_MAX;
  }

  #test({ device, property }: DeviceProperty): Omit<HeldTest, 'newestMs'> {
    const rows = this.#newest.all({ device, property, countMax: WINDOW_SAMPLES }) as {
      timeMs: number;
      value: number | null;
      quality: number;
    }[];
    const samples = rows
      .reverse()
      .map((row) => ({ ...row, quality: qualities[row.quality] as Quality }));
    const test = backTest(samples, NO_POLICY, 'hold');
    let turn = test.next();
    while (!turn.done) turn = test.next();
    const spanMs = (samples.at(-1)?.timeMs ?? 0) - (samples[0]?.timeMs ?? 0);
    return { errors: turn.value.errors, spanMs };
  }
}

function prepare(database: Database) {
  return database.prepare(
    `SELECT time_ms AS timeMs, value, quality FROM samples
     WHERE property = (SELECT id FROM properties WHERE device = :device AND name = :property)
     ORDER BY time_ms DESC LIMIT :countMax`,
  );
}
