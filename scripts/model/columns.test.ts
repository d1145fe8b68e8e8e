import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { ProgramError } from '#runtime/process/program-error.ts';
import { readColumns } from './columns.ts';
import { useFolder } from './diten.fixture.ts';

const place = useFolder();

function file(text: string): string {
  const path = place.path('data.csv');
  writeFileSync(path, text);
  return path;
}

function refused(text: string, names: readonly string[]): ProgramError {
  try {
    readColumns(file(text), names);
  } catch (error) {
    assert.ok(error instanceof ProgramError);
    return error;
  }
  return assert.fail('it should have been refused');
}

describe('columns of a CSV file', () => {
  const text = 'mote,t,place\n1, 20.5 ,roof\n2,-1e1,yard\n1,3,"north\nroof"\n1,4,roof\n';

  it('are numbers, each row with its line', () => {
    const { values, lines } = readColumns(file(text), ['t', 'mote', 't']);
    assert.deepEqual([...values.keys()], ['t', 'mote']);
    assert.deepEqual([...values.get('t')!], [20.5, -10, 3, 4]);
    assert.deepEqual(lines, [2, 3, 4, 6]);
  });

  it('are read of the rows that fit, by text', () => {
    const where = { column: 'place', value: 'roof' };
    assert.deepEqual([...readColumns(file(text), ['t'], where).values.get('t')!], [20.5, 4]);
  });

  it('may not hold what is no finite number', () => {
    for (const bad of ['warm', '', ' ', 'NaN', 'Infinity', '1e999', '0x']) {
      const { code, message } = refused(`a,b\n1,2\n3,${bad}\n`, ['a', 'b']);
      assert.equal(code, 'not-a-number');
      assert.match(message, /data\.csv:3: column b /);
    }
    assert.equal(refused('a\n1\n', ['a', 'c']).code, 'column-missing');
    assert.equal(refused('a\n', ['a']).code, 'data-empty');
    assert.equal(refused('', ['a']).code, 'csv-empty');
  });
});
