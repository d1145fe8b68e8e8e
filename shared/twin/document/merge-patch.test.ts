import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JsonValue } from './json.ts';
import { applyMergePatch, checkPatch, nestPatch } from './merge-patch.ts';

/** RFC 7396, appendix A: original, patch, result. */
const rfcExamples: readonly (readonly [JsonValue, JsonValue, JsonValue])[] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ a: 'foo' }, 'bar', 'bar'],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

describe('merge patch', () => {
  for (const [original, patch, result] of rfcExamples) {
    it(`RFC 7396: ${JSON.stringify(original)} with ${JSON.stringify(patch)}`, () => {
      assert.deepEqual(applyMergePatch(original, patch), result);
    });
  }

  it('makes the same of a document however often it is applied', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (document, patch) => {
        const once = applyMergePatch(document as JsonValue, patch as JsonValue);
        assert.deepEqual(applyMergePatch(once, patch as JsonValue), once);
      }),
    );
  });

  it('leaves the document it is applied to', () => {
    const document = { a: { b: 1 } };
    applyMergePatch(document, { a: { b: null, c: 2 } });
    assert.deepEqual(document, { a: { b: 1 } });
  });

  it('is nested under a path', () => {
    assert.deepEqual(nestPatch(['a', 'b'], { c: null }), { a: { b: { c: null } } });
  });

  it("refuses Ditto's deletion by pattern, at any depth", () => {
    const refused = checkPatch({ a: { '{{ ~2022-.*~ }}': null } });
    assert.ok(!refused.ok && refused.error.code === 'patch-regex-refused');
    assert.ok(checkPatch({ a: { '{{ x': null } }).ok);
  });
});
