import type { Database } from '#runtime/database/database.ts';
import { POINTS_MAX } from '#shared/twin/prediction/predictor.ts';
import { chainTrack, textToMark } from '#shared/twin/prediction/report-chain.ts';
import type { ReportingPolicy } from '#shared/twin/prediction/reporting.ts';
import type { Track } from '#shared/twin/prediction/track.ts';
import { qualities, type Sample } from '#shared/twin/sample.ts';
import type { PropertyTest } from '#shared/wire/reporting.ts';
import { HeldTests } from './held-tests.ts';

export interface DeviceProperty {
  readonly device: string;
  /** `feature/property`. */
  readonly property: string;
}

/** A property's track, and what the device promised with its newest report. */
export interface PromisedTrack {
  readonly track: Track;
  /** None where the newest sample is no report: it promises nothing of what comes after. */
  readonly policy?: ReportingPolicy;
  /** Whether the device sent something behind it that never came: it was dropped by a rule. */
  readonly missesNext?: boolean;
}

interface SampleRow {
  readonly stream: number;
  readonly sequence: number;
  readonly property: number;
  readonly timeMs: number;
  readonly value: number | null;
  readonly quality: number;
  readonly report: string | null;
}

/**
 * The tracks that the stored samples come to, and the back-tests that devices sent, in the tables
 * of the twin store's file. Nothing of it is held in memory: a track follows from the newest
 * `POINTS_MAX` reports, so it is the same after a restart, and for any earlier time.
 */
export class TwinTracks {
  readonly held: HeldTests;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: Database) {
    this.#statements = prepare(database);
    this.held = new HeldTests(database);
  }

  /** The track up to one sample: as the twin had it when that was the newest. */
  upTo(
    { device, property }: DeviceProperty,
    { epoch, sequence }: { readonly epoch: string; readonly sequence: number },
  ): PromisedTrack | undefined {
    const row = this.#statements.sample.get({ device, property, epoch, sequence });
    return this.#trackTo(row as SampleRow | undefined);
  }

  /** The track that the twin had at an earlier time, by the device's clock. */
  at({ device, property }: DeviceProperty, timeMs: number): PromisedTrack | undefined {
    const row = this.#statements.sampleAt.get({ device, property, timeMs });
    return this.#trackTo(row as SampleRow | undefined);
  }

  /**
   * The time, by the device's clock, of the newest sample that its stream has brought: samples come
   * in order, so all before it are here.
   */
  heardMs(device: string): number | undefined {
    const row = this.#statements.newest.get(device) as { timeMs: number } | undefined;
    return row?.timeMs;
  }

  /** Keeps what a device said of its back-tests, in place of what it said before. */
  saveTests(device: string, tests: readonly PropertyTest[]): void {
    this.#statements.saveTests.run(device, JSON.stringify(tests));
  }

  /** The newest back-test of a property that its device sent. */
  testOf({ device, property }: DeviceProperty): PropertyTest | undefined {
    const row = this.#statements.tests.get(device) as { tests: string } | undefined;
    if (row === undefined) return undefined;
    return (JSON.parse(row.tests) as PropertyTest[]).find((test) => test.property === property);
  }

  #trackTo(row: SampleRow | undefined): PromisedTrack | undefined {
    if (row === undefined) return undefined;
    const newest = rowToSample(row);
    if (newest.report === undefined) return { track: chainTrack([newest])! };
    const { stream, sequence, property } = row;
    const countMax = POINTS_MAX;
    const rows = this.#statements.reports.all({ stream, sequence, property, countMax });
    const track = chainTrack((rows as SampleRow[]).reverse().map(rowToSample))!;
    const { tolerance, heartbeatMs, ordinal } = newest.report;
    const next = this.#statements.nextReport.get({ stream, sequence, property }) as
      | { report: string }
      | undefined;
    const missesNext =
      next !== undefined && textToMark(next.report).report?.ordinal !== ordinal + 1;
    return { track, policy: { tolerance, heartbeatMs }, missesNext };
  }
}

function rowToSample({ timeMs, value, quality, report }: SampleRow) {
  const sample = { timeMs, value, quality: qualities[quality]! };
  return { ...sample, ...textToMark(report) } satisfies Partial<Sample>;
}

function prepare(database: Database) {
  const columns = 'stream, sequence, property, time_ms AS timeMs, value, quality, report';
  const ofProperty =
    'property = (SELECT id FROM properties WHERE device = :device AND name = :property)';
  return {
    sample: database.prepare(
      `SELECT ${columns} FROM samples
       WHERE stream = (SELECT id FROM streams WHERE device = :device AND epoch = :epoch)
         AND sequence = :sequence AND ${ofProperty}`,
    ),
    sampleAt: database.prepare(
      `SELECT ${columns} FROM samples WHERE ${ofProperty} AND time_ms <= :timeMs
       ORDER BY time_ms DESC, stream DESC, sequence DESC LIMIT 1`,
    ),
    reports: database.prepare(
      `SELECT ${columns} FROM samples
       WHERE report IS NOT NULL AND property = :property AND stream = :stream
         AND sequence <= :sequence
       ORDER BY sequence DESC LIMIT :countMax`,
    ),
    nextReport: database.prepare(
      `SELECT report FROM samples
       WHERE report IS NOT NULL AND property = :property AND stream = :stream
         AND sequence > :sequence
       ORDER BY sequence LIMIT 1`,
    ),
    newest: database.prepare(
      `SELECT time_ms AS timeMs FROM samples
       WHERE stream = (SELECT id FROM streams WHERE device = ? ORDER BY generation DESC LIMIT 1)
       ORDER BY sequence DESC LIMIT 1`,
    ),
    tests: database.prepare('SELECT tests FROM back_tests WHERE device = ?'),
    saveTests: database.prepare(
      'INSERT INTO back_tests VALUES (?, ?) ' +
        'ON CONFLICT (device) DO UPDATE SET tests = excluded.tests',
    ),
  };
}
