import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeCanonical, encodeCanonical, type Plain } from '../codec/canonical.ts';
import { accountSignerOf, verifyAccountPortably } from '../identity/account-key.ts';
import { digestOf, digestOfPlain } from '../identity/digest.ts';
import { admitTransaction } from './apply-transaction.ts';
import { ExampleChain, member, operator, START_MS, seededP256Signer } from './chain.fixture.ts';
import { createOverlay } from './contract/state.ts';
import {
  decodeTransaction,
  isSignedTransaction,
  signTransaction,
  type TransactionContent,
} from './transaction.ts';

const node = accountSignerOf(member(0));
const define = (name: string): TransactionContent => ({
  type: 'task.define',
  body: { task: digestOfPlain(name), model: digestOfPlain('onnx') },
});
const place = { chainId: 'site', signerSequence: 1, notAfterHeight: 100 };
const check = { chainId: 'site', verify: verifyAccountPortably };

function signed(signer = node) {
  const made = signTransaction(define('a'), place, signer);
  assert.ok(made.ok);
  return made.value;
}

/** Its plain data, changed. */
function altered(changes: { readonly [field: string]: Plain | undefined }): Uint8Array {
  const decoded = decodeCanonical(signed().bytes);
  assert.ok(decoded.ok);
  const fields = new Map<string, Plain>(Object.entries(decoded.value as { [key: string]: Plain }));
  for (const [field, value] of Object.entries(changes)) {
    if (value === undefined) fields.delete(field);
    else fields.set(field, value);
  }
  return encodeCanonical(Object.fromEntries(fields));
}

describe('transactions', () => {
  it('are decoded as they were signed, with keys of either algorithm', () => {
    for (const signer of [node, seededP256Signer(3)]) {
      const transaction = signed(signer);
      const decoded = decodeTransaction(transaction.bytes);
      assert.ok(decoded.ok);
      assert.deepEqual(decoded.value, transaction);
      assert.equal(transaction.digest, digestOf(transaction.bytes));
      assert.ok(isSignedTransaction(transaction, signer.key, check));
    }
  });

  it('are signed for one chain, by one key', () => {
    const transaction = signed();
    assert.ok(!isSignedTransaction(transaction, node.key, { ...check, chainId: 'another' }));
    assert.ok(!isSignedTransaction(transaction, operator(0).key, check));
    assert.ok(!isSignedTransaction(transaction, seededP256Signer(3).key, check));
  });

  it('are signed with a key of the algorithm that they name', () => {
    const { transaction, ...rest } = signed();
    const misnamed = { ...rest, transaction: { ...transaction, algorithm: 'p256' as const } };
    const anything = { chainId: 'site', verify: () => true };
    assert.ok(isSignedTransaction(signed(), node.key, anything));
    assert.ok(!isSignedTransaction(misnamed, node.key, anything));
  });

  it('are other ones with any bit flipped, and not signed any more', () => {
    const { bytes, digest } = signed();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (index, bit) => {
        const flipped = Uint8Array.from(bytes);
        flipped[index]! ^= 1 << bit;
        const decoded = decodeTransaction(flipped);
        if (!decoded.ok) return;
        assert.notEqual(decoded.value.digest, digest);
        assert.ok(!isSignedTransaction(decoded.value, node.key, check));
      }),
    );
  });

  const contributions = Array.from({ length: 200 }, (_, i) => ({
    ...{ device: `${'d'.repeat(60)}-${i}`, update: digestOfPlain(i), sampleCount: 1e9 },
  }));
  const body = signed().transaction.body;
  for (const [name, bytes] of [
    ['no bytes', new Uint8Array()],
    ['an unknown type', altered({ type: 'task.forget' })],
    ['a type that every object has', altered({ type: 'constructor' })],
    ['an unknown version', altered({ v: 2 })],
    ['an unknown field', altered({ memo: 'hello' })],
    ['no sequence', altered({ signerSequence: undefined })],
    ['sequence 0', altered({ signerSequence: 0 })],
    ['a sequence that is no whole number', altered({ signerSequence: 1.5 })],
    ['a body of another type', altered({ type: 'grant.remove' })],
    ['an unknown field in its body', altered({ body: { ...body, memo: 'hello' } })],
    ['an unknown algorithm', altered({ algorithm: 'rsa' })],
    ['a short signature', altered({ signature: '00' })],
    ['keys out of order', Uint8Array.of(0xa2, 0x61, 0x76, 1, 0x61, 0x61, 1)],
    ['more than 32 KiB', altered({ type: 'x'.repeat(32 * 1024) })],
  ] as const) {
    it(`are malformed with ${name}`, () => {
      const decoded = decodeTransaction(bytes);
      assert.ok(!decoded.ok);
      assert.equal(decoded.error.code, 'transaction-malformed');
    });
  }

  it('are not signed where they would be too large', () => {
    const version: TransactionContent = {
      type: 'model.version',
      body: {
        ...{ task: digestOfPlain(0), round: 1, digest: digestOfPlain(1) },
        ...{ parents: [digestOfPlain(0)], contributions, aggregator: digestOfPlain(2) },
        ...{ rule: 'fedavg', metrics: {} },
      },
    };
    const made = signTransaction(version, place, node);
    assert.ok(!made.ok);
    assert.match(made.error.message, /larger than 32768 bytes/);
  });
});

describe('admission', () => {
  const chain = new ExampleChain();
  const now = { timeMs: START_MS + 5, verify: verifyAccountPortably };
  chain.commit(chain.sign(node, define('a')));

  for (const [code, transaction] of [
    ['stale-sequence', chain.sign(node, define('b'), { signerSequence: 1 })],
    ['sequence-gap', chain.sign(node, define('b'), { signerSequence: 3 })],
    ['unknown-key', chain.sign(accountSignerOf(member(9)), define('b'))],
    ['wrong-signature', chain.sign(node, define('b'), { chainId: 'another' })],
    ['wrong-signature', chain.sign({ ...node, sign: operator(0).sign }, define('b'))],
    ['expired', chain.sign(node, define('b'), { notAfterHeight: 1 })],
    ['not-permitted', chain.sign(node, { type: 'grant.remove', body: { grant: 'g' } })],
    ['duplicate-task', chain.sign(node, define('a'))],
  ] as const) {
    it(`refuses with ${code}`, () => {
      const admitted = admitTransaction(chain.chain, chain.state, transaction, now);
      assert.ok(!admitted.ok);
      assert.equal(admitted.error.code, code);
    });
  }

  it('takes one after the other over a view with their writes', () => {
    const pending = createOverlay(chain.state);
    for (const signerSequence of [2, 3]) {
      const transaction = chain.sign(node, define(`${signerSequence}`), { signerSequence });
      const admitted = admitTransaction(chain.chain, pending, transaction, now);
      assert.ok(admitted.ok);
      pending.write(admitted.value);
    }
    const again = chain.sign(node, define('3'), { signerSequence: 4 });
    const refused = admitTransaction(chain.chain, pending, again, now);
    assert.ok(!refused.ok && refused.error.code === 'duplicate-task');
  });

  it('takes them up to the height that they name', () => {
    const last = chain.sign(node, define('b'), { notAfterHeight: 2 });
    assert.ok(admitTransaction(chain.chain, chain.state, last, now).ok);
  });
});
