import { readFileSync } from 'node:fs';
import { configurationError, type ProgramError } from '#runtime/process/program-error.ts';
import { type CsvRow, type CsvTable, parseCsv } from './csv.ts';
import { observe, type PropertyDescriptor, type RecordedSensor } from './sensor.ts';

export interface ReplayColumn extends PropertyDescriptor {
  /** Heading of the column. */
  readonly column: string;
}

export interface ReplayOptions {
  readonly file: string;
  /** Takes only the rows that hold exactly this text in this column. */
  readonly filter?: { readonly column: string; readonly value: string } | undefined;
  readonly columns: readonly ReplayColumn[];
  readonly periodMs: number;
  /** Wall time of reading 0. */
  readonly startMs: number;
  /** Index of the first reading still to be given. */
  readonly from: number;
}

/**
 * A CSV file with a header row, played at its own pace: reading k is the k-th row the filter lets
 * through, its time `startMs` + k `periodMs`, rounded to the millisecond, whenever it is played.
 *
 * Errors (exit 78, naming file and line): `replay-unreadable`, `replay-malformed`,
 * `replay-column-missing`, `replay-not-a-number`, `replay-no-rows`.
 */
export function createReplaySensor(options: ReplayOptions): RecordedSensor {
  const { file, columns, periodMs, startMs, from } = options;
  const table = readTable(file);
  const rows = selectRows(table, options);
  const fieldAt = columns.map(({ column }) => columnIndex(table, column, file));
  const record = rows.map((row) =>
    fieldAt.map((at) => numberIn(row, at, `${file}:${row.line}: column ${table.header[at]}`)),
  );
  return {
    kind: 'recorded',
    name: 'replay',
    properties: columns.map(({ column: _, ...descriptor }) => descriptor),
    periodMs,
    length: record.length,
    from,
    reading(index) {
      const values = record[index];
      if (values === undefined) return undefined;
      return {
        timeMs: Math.round(startMs + index * periodMs),
        values: columns.map((descriptor, at) => observe(descriptor, values[at]!)),
      };
    },
  };
}

function readTable(file: string): CsvTable {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw problem(
      'unreadable',
      `${file}: cannot read this recording (${(cause as Error).message}); check the path and ` +
        'that this user may read it',
      cause,
    );
  }
  const parsed = parseCsv(text);
  if (parsed.ok) return parsed.value;
  throw problem(
    'malformed',
    `${file}:${parsed.error.message}; give a comma-separated file with a header row`,
  );
}

function selectRows(table: CsvTable, { file, filter }: ReplayOptions): readonly CsvRow[] {
  const at = filter === undefined ? -1 : columnIndex(table, filter.column, file);
  const rows =
    filter === undefined
      ? table.rows
      : table.rows.filter(({ fields }) => fields[at] === filter.value);
  if (rows.length > 0) return rows;
  throw problem(
    'no-rows',
    filter === undefined
      ? `${file}:1: no rows below the header; give a recording with readings in it`
      : `${file}: no row of ${table.rows.length} has ${filter.column} = ${filter.value}; ` +
          'correct the filter',
  );
}

function columnIndex(table: CsvTable, column: string, file: string): number {
  const at = table.header.indexOf(column);
  if (at !== -1) return at;
  throw problem(
    'column-missing',
    `${file}:1: no column ${column} (there are ${table.header.join(', ')}); correct its name`,
  );
}

function numberIn({ fields }: CsvRow, at: number, where: string): number {
  const text = fields[at]!.trim();
  const value = Number(text);
  if (text !== '' && Number.isFinite(value)) return value;
  throw problem(
    'not-a-number',
    `${where} holds "${text}", not a number; correct the row or choose another column`,
  );
}

function problem(code: string, message: string, cause?: unknown): ProgramError {
  return configurationError(`replay-${code}`, message, cause);
}
