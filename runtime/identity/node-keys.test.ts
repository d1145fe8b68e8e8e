import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { bytesToHex } from '#shared/basics/bytes.ts';
import {
  accountKeySchema,
  accountSignerOf,
  verifyAccountPortably,
} from '#shared/identity/account-key.ts';
import { digestOfPlain } from '#shared/identity/digest.ts';
import {
  type Signature,
  signatureSchema,
  verifyPortably,
  verifyRawPortably,
} from '#shared/identity/signature.ts';
import { signingBytes } from '#shared/identity/signing-bytes.ts';
import { ExampleChain, exampleGenesis, seededP256Signer } from '#shared/ledger/chain.fixture.ts';
import { verifyChain } from '#shared/ledger/verify-chain.ts';
import { verifyAccountNatively, verifyNatively, verifyRawNatively } from './native-verification.ts';
import { openNodeKeys } from './node-keys.ts';
import { openSigningKey } from './signing-key.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-node-keys-'));
after(() => rmSync(folder, { recursive: true }));

const context = 'diten/ledger/transaction/v1';
const message = Uint8Array.of(1, 2, 3);

describe('node keys', () => {
  it('all come out of one file, and again the same', () => {
    const file = join(folder, 'node-key.pem');
    const keys = openNodeKeys(file);
    const again = openNodeKeys(file);
    assert.equal(openSigningKey(file).publicKey, keys.validator.publicKey);
    assert.deepEqual(again.peerSeed, keys.peerSeed);
    assert.equal(again.cosigner.publicKey, keys.cosigner.publicKey);
    assert.equal(again.log.publicKey, keys.log.publicKey);
    const { validator, cosigner, log, peerSeed } = keys;
    const roles = [validator.publicKey, cosigner.publicKey, log.publicKey, bytesToHex(peerSeed)];
    assert.equal(new Set(roles).size, 4);
  });

  it('are derived by HKDF-SHA256 from the seed in the file', () => {
    // RFC 8032, 7.1, test 1: the seed.
    const seed = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
    const der = Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex').toString('base64');
    const file = join(folder, 'known.pem');
    const pem = `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`;
    writeFileSync(file, pem, { mode: 0o600 });
    const { validator, peerSeed } = openNodeKeys(file);
    const published = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
    assert.equal(validator.publicKey, published);
    const info = new TextEncoder().encode('diten/node-key/peer/v1');
    assert.deepEqual(peerSeed, hkdf(sha256, Buffer.from(seed, 'hex'), undefined, info, 32));
  });

  it('sign: the validator within a context, the keys of the log raw bytes', () => {
    const { validator, cosigner, log } = openNodeKeys(join(folder, 'signs.pem'));
    const signature = validator.sign(context, message);
    assert.ok(verifyPortably({ publicKey: validator.publicKey, context, message, signature }));
    for (const { publicKey, signRaw } of [cosigner, log]) {
      const raw = signRaw(message);
      assert.ok(verifyRawPortably(publicKey, message, raw));
      assert.ok(verifyRawNatively(publicKey, message, raw));
      assert.ok(!verifyRawNatively(publicKey, Uint8Array.of(1), raw));
    }
  });
});

describe('native verification of accounts', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = pair.publicKey.export({ format: 'jwk' });
  const prefix = (Buffer.from(y!, 'base64url').at(-1)! & 1) === 0 ? '02' : '03';
  const publicKey = prefix + Buffer.from(x!, 'base64url').toString('hex');
  const key = accountKeySchema.parse({ algorithm: 'p256', publicKey });
  const bytes = signingBytes(context, message);
  const options = { key: pair.privateKey, dsaEncoding: 'ieee-p1363' } as const;

  it('comes to the portable verdict on P-256, of which half have a high s', () => {
    const verdicts = { true: 0, false: 0 };
    for (let i = 0; i < 24; i++) {
      const signature = signatureSchema.parse(sign('sha256', bytes, options).toString('hex'));
      const verdict = verifyAccountNatively({ key, context, message, signature });
      verdicts[`${verdict}`]++;
      assert.equal(verifyAccountPortably({ key, context, message, signature }), verdict);
    }
    assert.ok(verdicts.true > 0 && verdicts.false > 0, JSON.stringify(verdicts));
  });

  it('comes to the portable verdict on altered bytes of both algorithms', () => {
    for (const signer of [
      seededP256Signer(5),
      accountSignerOf(openSigningKey(join(folder, 'a'))),
    ]) {
      const right = Buffer.from(signer.sign(context, message), 'hex');
      fc.assert(
        fc.property(fc.nat(63), fc.integer({ min: 0, max: 255 }), (index, mask) => {
          const altered = Buffer.from(right);
          altered[index]! ^= mask;
          const signature = altered.toString('hex') as Signature;
          const signed = { key: signer.key, context, message, signature } as const;
          assert.equal(verifyAccountNatively(signed), mask === 0);
          assert.equal(verifyAccountPortably(signed), mask === 0);
        }),
        { numRuns: 40 },
      );
    }
  });

  it('verifies with a key that was pushed out by others', () => {
    const { validator } = openNodeKeys(join(folder, 'many.pem'));
    const signature = validator.sign(context, message);
    const verdicts = () => verifyNatively({ ...validator, context, message, signature });
    assert.ok(verdicts());
    // 4,096 are kept: these push it out.
    for (let i = 0; i < 4200; i++) {
      const { publicKey: x25519 } = { publicKey: i.toString(16).padStart(64, '0') as never };
      verifyRawNatively(x25519, message, new Uint8Array(64));
    }
    assert.ok(verdicts());
  });

  it('has a chain that one implementation made verified by the other', () => {
    const chain = new ExampleChain(exampleGenesis({ operators: 1 }));
    const p256 = seededP256Signer(5);
    chain.enrol('mote-1', p256);
    const restarted = new ExampleChain(exampleGenesis({ operators: 1 }));
    const [by] = [accountSignerOf(restarted.members()[0]!)];
    const define = {
      type: 'task.define',
      body: { task: digestOfPlain(1), model: digestOfPlain(2) },
    };
    restarted.commit(restarted.sign(by, define as never));
    const encoded = { genesis: restarted.encodedGenesis, blocks: restarted.decided };
    const native = verifyChain(encoded, verifyAccountNatively);
    assert.ok(native.ok);
    assert.deepEqual(native, verifyChain(encoded, verifyAccountPortably));
  });
});
