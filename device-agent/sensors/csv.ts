import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';

export interface CsvRow {
  /** Line of the file on which the row begins, from 1. */
  readonly line: number;
  readonly fields: readonly string[];
}

export interface CsvTable {
  readonly header: readonly string[];
  readonly rows: readonly CsvRow[];
}

type CsvFailure = Failure<'csv-empty' | 'csv-quote' | 'csv-ragged'>;

/**
 * Comma-separated text with a header row (RFC 4180: quoted fields, doubled quotes, LF or CRLF). A
 * byte order mark and empty lines are passed over. Messages begin with the line: `7: ...`.
 */
export function parseCsv(text: string): Result<CsvTable, CsvFailure> {
  const rows: CsvRow[] = [];
  const cursor = { text, at: text.startsWith('\ufeff') ? 1 : 0, line: 1 };
  while (cursor.at < text.length) {
    const line = cursor.line;
    const fields = takeRow(cursor);
    if (fields === undefined) {
      return fail('csv-quote', `${line}: a quoted field is not closed, or text follows its quote`);
    }
    if (fields.length > 1 || fields[0] !== '') rows.push({ line, fields });
  }
  const header = rows.shift()?.fields;
  if (header === undefined) return fail('csv-empty', '1: the file is empty');
  const ragged = rows.find(({ fields }) => fields.length !== header.length);
  if (ragged === undefined) return ok({ header, rows });
  const found = `${ragged.fields.length} fields where the header has ${header.length}`;
  return fail('csv-ragged', `${ragged.line}: ${found}`);
}

interface Cursor {
  readonly text: string;
  at: number;
  line: number;
}

function takeRow(cursor: Cursor): string[] | undefined {
  const fields: string[] = [];
  for (;;) {
    const field = cursor.text[cursor.at] === '"' ? takeQuoted(cursor) : takePlain(cursor);
    if (field === undefined) return undefined;
    fields.push(field);
    if (cursor.text[cursor.at] === ',') cursor.at += 1;
    else return takeLineEnd(cursor) ? fields : undefined;
  }
}

function takePlain(cursor: Cursor): string {
  const start = cursor.at;
  while (cursor.at < cursor.text.length && !',\r\n'.includes(cursor.text[cursor.at]!)) cursor.at++;
  return cursor.text.slice(start, cursor.at);
}

function takeQuoted(cursor: Cursor): string | undefined {
  let field = '';
  for (;;) {
    const close = cursor.text.indexOf('"', cursor.at + 1);
    if (close === -1) return undefined;
    const part = cursor.text.slice(cursor.at + 1, close);
    cursor.line += part.split('\n').length - 1;
    field += part;
    cursor.at = close + 1;
    if (cursor.text[cursor.at] !== '"') return field;
    field += '"';
  }
}

function takeLineEnd(cursor: Cursor): boolean {
  if (cursor.text[cursor.at] === '\r') cursor.at += 1;
  if (cursor.at >= cursor.text.length) return true;
  if (cursor.text[cursor.at] !== '\n') return false;
  cursor.at += 1;
  cursor.line += 1;
  return true;
}
