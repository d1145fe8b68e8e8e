import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { describeOperators, operatorDocument } from './operator-table.ts';

describe('the page of operators', () => {
  it('says what the rules and tests say', async () => {
    const page = readFileSync(operatorDocument, 'utf8');
    assert.ok(page === (await describeOperators()), 'run node scripts/operator-table.ts');
  });

  it('names a test for every operator', async () => {
    const untested = (await describeOperators())
      .split('\n')
      .filter((line) => line.endsWith('|  |'));
    assert.deepEqual(untested, []);
  });
});
