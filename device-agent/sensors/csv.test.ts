import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseCsv } from './csv.ts';

function fieldsOf(text: string): (readonly string[])[] {
  const parsed = parseCsv(text);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.error.message);
  return [parsed.value.header, ...parsed.value.rows.map(({ fields }) => fields)];
}

function problem(text: string): string {
  const parsed = parseCsv(text);
  assert.ok(!parsed.ok);
  return `${parsed.error.code} ${parsed.error.message}`;
}

describe('CSV', () => {
  it('reads back whatever was written, quoted, with either line end', () => {
    const field = fc.string({ unit: fc.constantFrom('a', '1', ' ', '"', ',', '\n', '\r\n') });
    const table = fc
      .integer({ min: 2, max: 4 })
      .chain((width) =>
        fc.array(fc.array(field, { minLength: width, maxLength: width }), { minLength: 1 }),
      );
    const quote = (text: string) =>
      /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    fc.assert(
      fc.property(table, fc.constantFrom('\n', '\r\n'), (rows, lineEnd) => {
        const text = rows.map((row) => row.map(quote).join(',')).join(lineEnd);
        assert.deepEqual(fieldsOf(text), rows);
        assert.deepEqual(fieldsOf(text + lineEnd), rows);
      }),
    );
  });

  it('passes over a byte order mark and empty lines', () => {
    assert.deepEqual(fieldsOf('\ufeffa,b\n\n1,2\n\n'), [
      ['a', 'b'],
      ['1', '2'],
    ]);
  });

  it('numbers rows by the line they begin on', () => {
    const parsed = parseCsv('a,b\n"1\n\n1",2\n\n3,4\n');
    assert.ok(parsed.ok);
    assert.deepEqual(
      parsed.value.rows.map(({ line }) => line),
      [2, 6],
    );
  });

  it('names the line of what is wrong', () => {
    assert.match(problem(''), /^csv-empty 1: /);
    assert.match(problem('\n\n'), /^csv-empty 1: /);
    assert.match(problem('a,b\n1,2\n1,2,3\n'), /^csv-ragged 3: 3 fields where the header has 2/);
    assert.match(problem('a,b\n1,"2\n3,4\n'), /^csv-quote 2: /);
    assert.match(problem('a,b\n1,2\n"3"x,4\n'), /^csv-quote 3: /);
  });
});
