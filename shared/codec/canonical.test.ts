import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeCanonical, decodeCbor, encodeCanonical, type Plain } from './canonical.ts';

const plain: fc.Arbitrary<Plain> = fc.letrec<{ tree: Plain }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0.5),
    fc.string(),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('tree'),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
})).tree;

describe('canonical CBOR', () => {
  it('gives back what was encoded, and the same bytes again', () => {
    fc.assert(
      fc.property(plain, (value) => {
        const bytes = encodeCanonical(value);
        const decoded = decodeCanonical(bytes);
        assert.ok(decoded.ok);
        assert.deepEqual(encodeCanonical(decoded.value), bytes);
      }),
    );
  });

  it('does not depend on the order of keys', () => {
    assert.deepEqual(encodeCanonical({ bb: 1, a: 2 }), encodeCanonical({ a: 2, bb: 1 }));
  });

  it('refuses keys out of order only where canonical form is asked for', () => {
    const bytes = Uint8Array.from([0xa2, 0x61, 0x62, 1, 0x61, 0x61, 2]);
    assert.ok(decodeCbor(bytes).ok);
    const strict = decodeCanonical(bytes);
    assert.ok(!strict.ok && strict.error.code === 'cbor-not-canonical');
  });

  it('throws nothing at maps in maps, whatever the depth', () => {
    for (let depth = 500; depth <= 8000; depth += 500) {
      const maps = Array.from({ length: depth }, () => [0xa1, 0x61, 0x61]).flat();
      const decoded = decodeCanonical(Uint8Array.from([...maps, 0xa0]));
      assert.ok(decoded.ok || decoded.error.code === 'cbor-invalid');
    }
  });

  for (const [name, bytes] of [
    ['truncated bytes', [0x82, 1]],
    ['trailing bytes', [1, 1]],
    ['duplicate keys', [0xa2, 0x61, 0x61, 1, 0x61, 0x61, 2]],
    ['an indefinite array', [0x9f, 1, 0xff]],
    ['a length beyond the input', [0x5b, 0, 0, 0, 1, 0, 0, 0, 0]],
    ['NaN', [0xf9, 0x7e, 0]],
    ['nesting that exhausts the stack', new Array(200_000).fill(0x81)],
  ] as const) {
    it(`refuses ${name}`, () => {
      const decoded = decodeCbor(Uint8Array.from(bytes));
      assert.ok(!decoded.ok && decoded.error.code === 'cbor-invalid');
    });
  }
});
