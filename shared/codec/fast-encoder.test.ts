import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode, rfc8949EncodeOptions } from 'cborg';
import fc from 'fast-check';
import type { Plain } from './canonical.ts';
import { encodeFast } from './fast-encoder.ts';

const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ maxLength: 300 }));
const number = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double({ noNaN: true }));

const plain: fc.Arbitrary<Plain> = fc.letrec<{ tree: Plain }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    number,
    text,
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('tree'), { maxLength: 30 }),
    fc.dictionary(text, tie('tree'), { maxKeys: 30, noNullPrototype: true }),
  ),
})).tree;

describe('the fast encoder', () => {
  it('gives the bytes of the general one, or nothing', () => {
    let encoded = 0;
    fc.assert(
      fc.property(plain, (value) => {
        const bytes = encodeFast(value);
        if (bytes === undefined) return;
        encoded++;
        assert.deepEqual(bytes, new Uint8Array(encode(value, rfc8949EncodeOptions)));
      }),
      { numRuns: 300 },
    );
    assert.ok(encoded > 50, `${encoded} values encoded`);
  });

  for (const bound of [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
    it(`gives the bytes of the general one around ${bound}`, () => {
      for (const value of [bound, -bound - 1].filter(Number.isSafeInteger)) {
        assert.deepEqual(encodeFast(value), encode(value, rfc8949EncodeOptions));
      }
      if (bound > 70_000) return;
      const long = { ['k'.repeat(bound)]: new Uint8Array(bound), list: Array(bound).fill(1) };
      assert.deepEqual(encodeFast(long), encode(long, rfc8949EncodeOptions));
    });
  }

  for (const [name, value] of [
    ['a fraction', 0.5],
    ['minus zero', -0],
    ['more than is safe', 2 ** 53],
    ['other text', ['é']],
    ['other keys', { é: 1 }],
    ['what is no plain data', new Map() as unknown as Plain],
    ['nothing in a map', { a: undefined } as unknown as Plain],
    // biome-ignore lint/suspicious/noSparseArray: what a list must not be
    ['a hole in a list', [1, , 2] as unknown as Plain],
    ['other views', new Uint16Array(2) as unknown as Plain],
  ] satisfies [string, Plain][]) {
    it(`leaves ${name} to the general one`, () => {
      assert.equal(encodeFast(value), undefined);
    });
  }
});
