import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { MUTANTS } from './run-mutants.ts';

const ROOT = join(import.meta.dirname, '../../..');

describe('the mutants', () => {
  it('are many, each by its own name', () => {
    const names = new Set(MUTANTS.map(({ file, name }) => `${file} ${name}`));
    assert.equal(names.size, MUTANTS.length);
    assert.ok(MUTANTS.length >= 100);
  });

  it('change a text that stands once in its file', () => {
    for (const { file, find, replace, name } of MUTANTS) {
      const parts = readFileSync(join(ROOT, file), 'utf8').split(find);
      assert.equal(parts.length, 2, name);
      assert.notEqual(find, replace, name);
    }
  });
});
