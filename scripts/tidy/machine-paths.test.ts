import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { breaches } from './breaches.ts';
import { machinePaths } from './machine-paths.ts';

const path = (...segments: string[]) => ['', ...segments, 'x'].join('/');

describe('machine paths', () => {
  for (const folder of [['work'], ['root'], ['tmp'], ['home', 'ada']]) {
    it(`refuse ${folder.join('/')}`, () => {
      const text = `\nconst file = '${path(...folder)}';`;
      assert.equal(breaches(machinePaths, { 'a.test.ts': text }).length, 1);
      assert.equal(breaches(machinePaths, { '.ci/run': text }).length, 1);
      assert.deepEqual(breaches(machinePaths, { 'README.md': text }), []);
    });
  }

  it('allow paths that every machine has, and folders of these names elsewhere', () => {
    const text = `'${path('sys', 'class')}' 'var${path('tmp')}' '.${path('work')}'`;
    assert.deepEqual(breaches(machinePaths, { 'a.ts': text }), []);
  });
});
