import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { p256 } from '@noble/curves/nist.js';
import { bytesToHex, hexToBytes } from '../basics/bytes.ts';
import {
  accountIdOf,
  accountKeySchema,
  accountSignerOf,
  p256KeySchema,
  verifyAccountPortably,
} from './account-key.ts';
import { keyIdOf } from './keys.ts';
import { seededSigner } from './seeded-signer.ts';
import { type Signature, signatureSchema } from './signature.ts';
import { signingBytes } from './signing-bytes.ts';

// RFC 6979, A.2.5: the key, and the signature of "sample" with SHA-256.
const secret = hexToBytes('c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721')!;
const x = '60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6';

const key = accountKeySchema.parse({ algorithm: 'p256', publicKey: `03${x}` });
const context = 'diten/ledger/transaction/v1';
const message = Uint8Array.of(1, 2, 3);
const bytes = p256.sign(signingBytes(context, message), secret, { lowS: true });
const signature = signatureSchema.parse(bytesToHex(bytes));
const signed = { key, context, message, signature } as const;

describe('account keys', () => {
  it('of P-256 are the compressed point', () => {
    assert.equal(bytesToHex(p256.getPublicKey(secret, true)), `03${x}`);
  });

  for (const [name, hex] of [
    ['an uncompressed point', bytesToHex(p256.getPublicKey(secret, false))],
    ['what is no point', `02${'00'.repeat(31)}01`],
    ['x beyond the field', `02${'ff'.repeat(32)}`],
    ['upper case', `03${x.toUpperCase()}`],
    ['the point at infinity', '00'],
    ['nothing', ''],
  ] as const) {
    it(`of P-256 refuse ${name}`, () => {
      assert.ok(!p256KeySchema.safeParse(hex).success);
    });
  }

  it('have ids under the context of their algorithm', () => {
    const { publicKey } = seededSigner(1);
    assert.equal(accountIdOf({ algorithm: 'ed25519', publicKey }), keyIdOf(publicKey));
    assert.notEqual(accountIdOf(key), accountIdOf(accountSignerOf(seededSigner(1)).key));
  });
});

describe('P-256 signatures', () => {
  it('verify', () => {
    assert.ok(verifyAccountPortably(signed));
  });

  const { ORDER } = p256.Point.Fn;
  const s = BigInt(`0x${signature.slice(64)}`);
  const withS = (number: bigint) =>
    (signature.slice(0, 64) + number.toString(16).padStart(64, '0')) as Signature;
  for (const [name, changed] of [
    ['the other s', { signature: withS(ORDER - s) }],
    ['s of zero', { signature: withS(0n) }],
    ['r of zero', { signature: ('0'.repeat(64) + signature.slice(64)) as Signature }],
    ['another message', { message: Uint8Array.of(1, 2, 4) }],
    ['another context', { context: 'diten/ledger/voucher/v1' }],
    ['the opposite key', { key: accountKeySchema.parse({ ...key, publicKey: `02${x}` }) }],
  ] as const) {
    it(`do not verify with ${name}`, () => {
      assert.ok(!verifyAccountPortably({ ...signed, ...changed }));
    });
  }

  it('of the published example verify', () => {
    const r = 'efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716';
    const highS = BigInt('0xf7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8');
    const lowS = (ORDER - highS).toString(16).padStart(64, '0');
    const sample = new TextEncoder().encode('sample');
    assert.ok(p256.verify(hexToBytes(r + lowS)!, sample, hexToBytes(key.publicKey)!));
  });
});
