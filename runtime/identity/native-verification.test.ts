import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ED25519_TORSION_SUBGROUP, ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { bytesToHex } from '#shared/basics/bytes.ts';
import { publicKeySchema } from '#shared/identity/keys.ts';
import { seededSigner } from '#shared/identity/seeded-signer.ts';
import { type SignedMessage, signatureSchema, verifyPortably } from '#shared/identity/signature.ts';
import { signingBytes } from '#shared/identity/signing-bytes.ts';
import { verifyNatively } from './native-verification.ts';

const { Point } = ed25519;
const { Fn } = Point;
const context = 'diten/ledger/block/v1';
const torsion = ED25519_TORSION_SUBGROUP.map((hex) => Point.fromHex(hex));
const scalar = fc.bigInt({ min: 1n, max: Fn.ORDER - 1n });
const component = fc.constantFrom(...torsion);

/** Made by the key's owner, with small-order components in the key and in R. */
const crafted: fc.Arbitrary<SignedMessage> = fc
  .record({
    secret: scalar,
    nonce: scalar,
    message: fc.uint8Array({ maxLength: 40 }),
    inKey: component,
    inR: component,
  })
  .map(({ secret, nonce, message, inKey, inR }) => {
    const key = Point.BASE.multiply(secret).add(inKey).toBytes();
    const r = Point.BASE.multiply(nonce).add(inR).toBytes();
    const challenge = sha512(Buffer.concat([r, key, signingBytes(context, message)]));
    const s = Fn.create(nonce + bigInt(challenge) * secret);
    return {
      publicKey: publicKeySchema.parse(bytesToHex(key)),
      context,
      message,
      signature: signatureSchema.parse(bytesToHex(Buffer.concat([r, Fn.toBytes(s)]))),
    };
  });

describe('native verification', () => {
  it('comes to the portable verdict on signatures made to divide verifiers', () => {
    const verdicts = { true: 0, false: 0 };
    fc.assert(
      fc.property(crafted, (signed) => {
        const verdict = verifyNatively(signed);
        verdicts[`${verdict}`]++;
        assert.equal(verifyPortably(signed), verdict);
      }),
      { numRuns: 150 },
    );
    assert.ok(verdicts.true > 0 && verdicts.false > 0, JSON.stringify(verdicts));
  });

  it('comes to the portable verdict on altered bytes', () => {
    const { publicKey, sign } = seededSigner(7);
    const message = Uint8Array.of(1, 2, 3);
    const bytes = Buffer.from(sign(context, message), 'hex');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }), (index, mask) => {
        const altered = Buffer.from(bytes);
        altered[index]! ^= mask;
        const signature = signatureSchema.parse(altered.toString('hex'));
        const signed = { publicKey, context, message, signature } as const;
        assert.equal(verifyNatively(signed), mask === 0);
        assert.equal(verifyPortably(signed), mask === 0);
      }),
      { numRuns: 80 },
    );
  });
});

function bigInt(littleEndian: Uint8Array): bigint {
  return BigInt(`0x${bytesToHex(littleEndian.toReversed())}`);
}
