import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  formatPointer,
  parsePointer,
  valueAt,
  withoutValueAt,
  withValueAt,
} from './json-pointer.ts';

const key = fc.string({ minLength: 1, maxLength: 8 }).filter((text) => !text.includes('/'));

describe('JSON pointer', () => {
  it('is read as Ditto reads it', () => {
    for (const [text, keys] of [
      ['', []],
      ['/', []],
      ['a', ['a']],
      ['/a/b', ['a', 'b']],
      ['a/b/', ['a', 'b']],
      ['a~0b', ['a~b']],
      ['a~01', ['a~1']],
      ['a~1b', ['a~1b']],
    ] as const) {
      assert.deepEqual(parsePointer(text), { ok: true, value: keys }, text);
    }
  });

  it('comes back from its text', () => {
    fc.assert(
      fc.property(fc.array(key, { maxLength: 6 }), (keys) => {
        assert.deepEqual(parsePointer(formatPointer(keys)), { ok: true, value: keys });
      }),
    );
  });

  for (const text of ['a//b', '//', 'x'.repeat(2049), '/a'.repeat(33)]) {
    it(`refuses ${text.slice(0, 10)}`, () => {
      const parsed = parsePointer(text);
      assert.ok(!parsed.ok && parsed.error.code === 'pointer-invalid');
    });
  }

  it('finds, sets and removes', () => {
    const document = { a: { b: 1, c: [2] }, d: 'x' };
    assert.equal(valueAt(document, ['a', 'b']), 1);
    assert.equal(valueAt(document, ['a', 'c', '0']), undefined);
    assert.equal(valueAt(document, ['toString']), undefined);
    assert.deepEqual(withValueAt(document, ['d', 'e'], 3), { ...document, d: { e: 3 } });
    assert.deepEqual(withoutValueAt(document, ['a', 'b']), { a: { c: [2] }, d: 'x' });
    assert.equal(withoutValueAt(document, ['z']), document);
    assert.deepEqual(withoutValueAt(document, ['d', 'e']), document);
  });

  it('finds what was set, and no more what was removed', () => {
    fc.assert(
      fc.property(fc.array(key, { minLength: 1, maxLength: 4 }), fc.jsonValue(), (keys, value) => {
        const set = withValueAt({ a: { b: 1 } }, keys, value as never) as never;
        assert.deepEqual(valueAt(set, keys), value);
        assert.equal(valueAt(withoutValueAt(set, keys), keys), undefined);
      }),
    );
  });
});
