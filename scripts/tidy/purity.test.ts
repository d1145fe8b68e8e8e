import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { breaches } from './breaches.ts';
import { purity } from './purity.ts';

describe('purity of shared/', () => {
  for (const [text, name] of [
    ['const now = Date.now();', 'Date'],
    ['let when: Date;', 'Date'],
    ['setTimeout(() => 1, 2);', 'setTimeout'],
    ['const x = Math.random();', 'Math.random'],
    ['const { random } = Math;', 'Math.random'],
    ['const x = { process };', 'process'],
    ["const x = process['env'];", 'process'],
    ['const x = table[process];', 'process'],
    ['const x = await fetch(url);', 'fetch'],
    ['const x = performance.now();', 'performance'],
    ['const x = globalThis.crypto;', 'globalThis'],
  ] as const) {
    it(`refuses ${text}`, () => {
      const found = breaches(purity, { 'shared/a.ts': `\n${text}` });
      assert.deepEqual(found, [`shared/a.ts:2 shared/ is pure and must not use ${name}`]);
      assert.deepEqual(breaches(purity, { 'runtime/a.ts': text }), []);
      assert.deepEqual(breaches(purity, { 'shared/a.test.ts': text }), []);
    });
  }

  for (const text of [
    'const x = Math.floor(random());',
    'const x = task.process(a.Date);',
    'interface A { process: string; fetch(): void }',
    'const x = { performance: 1 };',
    'class A { fetch() {} }',
  ]) {
    it(`allows ${text}`, () => assert.deepEqual(breaches(purity, { 'shared/a.ts': text }), []));
  }
});
