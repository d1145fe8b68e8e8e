import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { breaches } from './breaches.ts';
import { limits } from './limits.ts';

const lines = (count: number, line = 'f();') => `${line}\n`.repeat(count);
const long = `function long() {\n${lines(59)}}\n`;

describe('limits', () => {
  it('let a file have 400 lines and not one more', () => {
    assert.deepEqual(breaches(limits, { 'a.ts': lines(400) }), []);
    assert.deepEqual(breaches(limits, { 'a.css': lines(401) }), ['a.css:401 401 lines']);
    assert.deepEqual(breaches(limits, { 'README.md': lines(401) }), []);
  });

  it('let a line have 100 columns and not one more, unless it holds an address', () => {
    assert.deepEqual(breaches(limits, { 'a.ts': `// ${'ü'.repeat(97)}\n` }), []);
    assert.deepEqual(breaches(limits, { 'a.ts': `\n// ${'u'.repeat(98)}\n` }), [
      'a.ts:2 101 columns',
    ]);
    assert.deepEqual(breaches(limits, { 'a.ts': `// https://${'u'.repeat(98)}\n` }), []);
  });

  it('let a function have 60 lines and not one more, whatever its form', () => {
    assert.deepEqual(breaches(limits, { 'a.ts': long.replace('f();\n', '') }), []);
    for (const text of [
      long,
      long.replace('function long()', 'const long = () =>'),
      `class A {\n${long.replace('function ', '')}}`,
    ]) {
      const [found] = breaches(limits, { 'a.ts': text });
      assert.match(found ?? '', /^a\.ts:[12] function long: 61 lines$/);
    }
  });

  it('count a suite by its tests', () => {
    const suite = `describe('a', () => {\n${lines(61, "it('b', () => 1);")}});\n`;
    assert.deepEqual(breaches(limits, { 'a.test.ts': suite }), []);
    assert.deepEqual(breaches(limits, { 'a.ts': suite }), ['a.ts:1 function (unnamed): 63 lines']);
    const test = `it('a', () => {\n${lines(61)}});\n`;
    assert.equal(breaches(limits, { 'a.test.ts': test }).length, 1);
  });
});
