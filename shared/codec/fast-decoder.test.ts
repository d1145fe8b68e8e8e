import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeCanonically, encodeCanonical, type Plain } from './canonical.ts';
import { decodeFast, LEFT_OUT } from './fast-decoder.ts';

const text = fc.string({ unit: 'binary-ascii', maxLength: 300 });
const numbers = [23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1];
const plain: fc.Arbitrary<Plain> = fc.letrec<{ tree: Plain }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, false, ...numbers, ...numbers.map((n) => -n)),
    fc.integer(),
    fc.string(),
    text,
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('tree'), { maxLength: 30 }),
    fc.dictionary(text, tie('tree'), { maxKeys: 5, noNullPrototype: true }),
  ),
})).tree;

/** What it decodes, the general decoder decodes to the same; what that refuses it leaves out. */
function compare(bytes: Uint8Array): boolean {
  const value = decodeFast(bytes);
  if (value === LEFT_OUT) return false;
  assert.deepEqual(decodeCanonically(bytes), { ok: true, value });
  return true;
}

describe('the fast decoder', () => {
  it('comes to the same as the general one on what is sound, and leaves little out', () => {
    let taken = 0;
    fc.assert(
      fc.property(plain, (value) => {
        if (compare(encodeCanonical(value))) taken++;
      }),
      { numRuns: 400 },
    );
    assert.ok(taken > 200, `${taken} of 400`);
  });

  it('comes to the same where a byte is another, missing or too many', () => {
    fc.assert(
      fc.property(plain, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, place, mask) => {
        const bytes = encodeCanonical(value);
        const index = place % bytes.length;
        compare(bytes.map((byte, i) => (i === index ? byte ^ mask : byte)));
        compare(bytes.subarray(0, index));
        compare(Uint8Array.of(...bytes, mask));
      }),
      { numRuns: 400 },
    );
  });

  it('comes to the same on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => void compare(bytes)),
      { numRuns: 3000 },
    );
  });

  for (const [name, bytes] of [
    ['a number in more bytes than it needs', [0x18, 23]],
    ['two bytes for one', [0x19, 0, 255]],
    ['four bytes for two', [0x1a, 0, 0, 255, 255]],
    ['eight bytes for four', [0x1b, 0, 0, 0, 0, 255, 255, 255, 255]],
    ['a number beyond what is exact', [0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0]],
    ['a negative number beyond what is exact', [0x3b, 0, 0x1f, 255, 255, 255, 255, 255, 255]],
    ['a length in more bytes than it needs', [0x58, 1, 7]],
    ['an indefinite list', [0x9f, 1, 0xff]],
    ['keys out of order', [0xa2, 0x61, 0x62, 1, 0x61, 0x61, 2]],
    ['a longer key first', [0xa2, 0x62, 0x61, 0x61, 1, 0x61, 0x62, 2]],
    ['a key twice', [0xa2, 0x61, 0x61, 1, 0x61, 0x61, 2]],
    ['a key that is no text', [0xa1, 1, 1]],
    ['a tag', [0xc0, 0x61, 0x61]],
    ['undefined', [0xf7]],
    ['a float', [0xf9, 0x3c, 0]],
    ['a list that is longer than its bytes', [0x9b, 0, 0, 0, 1, 0, 0, 0, 0]],
    ['bytes that are longer than there are', [0x43, 1, 2]],
    ['text beyond ASCII', [0x62, 0xc3, 0xa4]],
    ['two values', [1, 1]],
    ['nothing', []],
    ['65 lists in each other', [...new Array(65).fill(0x81), 1]],
  ] as const) {
    it(`leaves out ${name}`, () => {
      assert.equal(decodeFast(Uint8Array.from(bytes)), LEFT_OUT);
    });
  }

  it('gives memory of its own, and no prototype', () => {
    class Sliced extends Uint8Array<ArrayBuffer> {
      override slice = this.subarray;
    }
    const encoded = encodeCanonical({ a: Uint8Array.of(1, 2) });
    for (const bytes of [encoded, Sliced.from(encoded) as Sliced]) {
      const value = decodeFast(bytes) as { a: Uint8Array };
      bytes.fill(0);
      assert.deepEqual(value, { a: Uint8Array.of(1, 2) });
    }
    assert.equal(decodeFast(encodeCanonical(JSON.parse('{"__proto__":1}'))), LEFT_OUT);
  });
});
