import { parseCsv } from '#device-agent/sensors/csv.ts';
import { ProgramError } from '#runtime/process/program-error.ts';
import { readInputFile } from './model-file.ts';

export interface RowCondition {
  readonly column: string;
  readonly value: string;
}

/** Columns of numbers, row by row in the order of the file. */
export interface Columns {
  readonly file: string;
  /** By name; each has a value for every row. */
  readonly values: ReadonlyMap<string, Float64Array>;
  /** The line of the file each row begins on. */
  readonly lines: readonly number[];
}

/** Reads columns of a CSV file, of the rows that `where` picks; each value must be a number. */
export function readColumns(file: string, names: readonly string[], where?: RowCondition): Columns {
  const parsed = parseCsv(new TextDecoder().decode(readInputFile(file)));
  if (!parsed.ok) throw new ProgramError(parsed.error.code, `${file}:${parsed.error.message}`);
  const { header } = parsed.value;
  const indexOf = (name: string): number => {
    const index = header.indexOf(name);
    if (index >= 0) return index;
    throw new ProgramError(
      'column-missing',
      `${file}:1: there is no column ${name}; the file has ${header.join(', ')}`,
    );
  };
  const filter = where && { index: indexOf(where.column), value: where.value };
  const rows = parsed.value.rows.filter(
    ({ fields }) => filter === undefined || fields[filter.index] === filter.value,
  );
  if (rows.length === 0) {
    const which = where ? ` with ${where.column}=${where.value}` : '';
    throw new ProgramError('data-empty', `${file} has no row${which}`);
  }
  const values = new Map(
    [...new Set(names)].map((name) => {
      const index = indexOf(name);
      const column = rows.map(({ line, fields }) => {
        const value = readNumber(fields[index]!);
        if (value !== undefined) return value;
        throw new ProgramError(
          'not-a-number',
          `${file}:${line}: column ${name} holds ${JSON.stringify(fields[index])}, which is no ` +
            'finite number of float32; mend or remove that row',
        );
      });
      return [name, Float64Array.from(column)] as const;
    }),
  );
  return { file, values, lines: rows.map(({ line }) => line) };
}

function readNumber(text: string): number | undefined {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(Math.fround(value)) ? value : undefined;
}
