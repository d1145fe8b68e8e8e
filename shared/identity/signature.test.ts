import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ED25519_TORSION_SUBGROUP } from '@noble/curves/ed25519.js';
import { keyIdOf, publicKeySchema } from './keys.ts';
import { seededSigner } from './seeded-signer.ts';
import { type Signature, type SignedMessage, verifyPortably } from './signature.ts';
import { signingBytes } from './signing-bytes.ts';

const { publicKey, sign } = seededSigner(1);
const context = 'diten/ledger/block/v1';
const message = Uint8Array.of(1, 2, 3);
const signed: SignedMessage = { publicKey, context, message, signature: sign(context, message) };

describe('signatures', () => {
  it('verify', () => {
    assert.ok(verifyPortably(signed));
  });

  for (const [name, changed] of [
    ['another key', { publicKey: seededSigner(2).publicKey }],
    ['another context', { context: 'diten/key/ed25519/v1' }],
    ['another message', { message: Uint8Array.of(1, 2, 4) }],
    ['a changed R', { signature: flipped(signed.signature, 0) }],
    ['a changed S', { signature: flipped(signed.signature, 64) }],
    ['S beyond the order of the group', { signature: withOrderAdded(signed.signature) }],
  ] satisfies [string, Partial<SignedMessage>][]) {
    it(`do not verify with ${name}`, () => {
      assert.ok(!verifyPortably({ ...signed, ...changed }));
    });
  }
});

describe('signing bytes', () => {
  it('are the context, a zero byte and the message', () => {
    const expected = new TextEncoder().encode('diten/ledger/block/v1\0\x01\x02\x03');
    assert.deepEqual(signingBytes(context, message), expected);
  });
});

describe('public keys', () => {
  for (const hex of ED25519_TORSION_SUBGROUP) {
    it(`refuse the small-order point ${hex.slice(0, 8)}…`, () => {
      assert.ok(!publicKeySchema.safeParse(hex).success);
    });
  }

  for (const [name, hex] of [
    ['an unreduced encoding', `f2${'ff'.repeat(30)}7f`],
    ['what is no point', `02${'00'.repeat(31)}`],
    ['a short one', publicKey.slice(2)],
    ['upper case', publicKey.toUpperCase()],
  ] as const) {
    it(`refuse ${name}`, () => {
      assert.ok(!publicKeySchema.safeParse(hex).success);
    });
  }

  it('have ids of their own', () => {
    assert.notEqual(keyIdOf(publicKey), keyIdOf(seededSigner(2).publicKey));
    assert.notEqual(keyIdOf(publicKey).slice(), publicKey.slice());
  });
});

function flipped(signature: Signature, index: number): Signature {
  const digit = signature[index] === '0' ? '1' : '0';
  return (signature.slice(0, index) + digit + signature.slice(index + 1)) as Signature;
}

/** The same residue, encoded as S + L: the malleability RFC 8032, 5.1.7 rules out. */
function withOrderAdded(signature: Signature): Signature {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const littleEndian = (hex: string) => hex.match(/../g)!.reverse().join('');
  const s = BigInt(`0x${littleEndian(signature.slice(64))}`) + order;
  const hex = s.toString(16).padStart(64, '0');
  return (signature.slice(0, 64) + littleEndian(hex)) as Signature;
}
