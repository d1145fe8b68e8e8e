import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf, digestOfPlain, digestSchema } from './digest.ts';

describe('digests', () => {
  it('are SHA-256 in lower-case hex', () => {
    // FIPS 180-4, the one-block example.
    const expected = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    assert.equal(digestOf(new TextEncoder().encode('abc')), expected);
    assert.ok(digestSchema.safeParse(expected).success);
    assert.ok(!digestSchema.safeParse(expected.toUpperCase()).success);
  });

  it('of plain data do not depend on the order of keys', () => {
    assert.equal(digestOfPlain({ b: 1, aa: 2 }), digestOfPlain({ aa: 2, b: 1 }));
    assert.notEqual(digestOfPlain({ a: 1 }), digestOfPlain({ a: 2 }));
  });
});
