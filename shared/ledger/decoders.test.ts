import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeCanonical, type Plain } from '../codec/canonical.ts';
import { decodeBlock } from './block.ts';
import { ExampleChain, exampleGenesis, operator } from './chain.fixture.ts';
import { decodeCommit } from './commit-codec.ts';
import { evidenceOf } from './contract/evidence.ts';
import { decodeGenesis } from './genesis.ts';
import { decodeLogEntry, encodeLogEntry } from './log-entry.ts';
import { decodeTransaction } from './transaction.ts';

const chain = new ExampleChain(exampleGenesis({ members: 1, operators: 1 }));
const sent = chain.sign(operator(0), { type: 'grant.remove', body: { grant: 'g' } });
const { entries } = chain.commit(sent);
const [{ block, commit }] = chain.decided as [(typeof chain.decided)[number]];

const decoders = {
  genesis: [decodeGenesis, chain.encodedGenesis],
  transaction: [decodeTransaction, sent.bytes],
  block: [decodeBlock, block],
  commit: [decodeCommit, commit],
  entry: [decodeLogEntry, entries[0]!],
} as const;

describe('decoders', () => {
  it('of log entries give back what was encoded', () => {
    const decoded = decodeLogEntry(entries[0]!);
    assert.ok(decoded.ok);
    const { bytes: transaction } = sent;
    const entry = { v: 1, height: 1, index: 0, outcome: 'unknown-grant', transaction } as const;
    assert.deepEqual(decoded.value, entry);
    assert.deepEqual(encodeLogEntry(entry), entries[0]);
  });

  for (const [name, [decode, example]] of Object.entries(decoders)) {
    it(`of a ${name} take it, and refuse all else with one code, without throwing`, () => {
      assert.ok(decode(example).ok);
      const garbage = fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.jsonValue().map((value) => encodeCanonical(value as Plain)),
        fc.nat(example.length - 1).map((length) => example.slice(0, length)),
        fc.uint8Array({ minLength: 1, maxLength: 9 }).map((end) => Buffer.concat([example, end])),
        fc
          .tuple(fc.nat(example.length - 1), fc.nat(255))
          .map(([at, byte]) => example.with(at, byte)),
      );
      fc.assert(
        fc.property(garbage, (bytes) => {
          const decoded = decode(bytes);
          if (!decoded.ok) assert.equal(decoded.error.code, `${name}-malformed`);
        }),
      );
      const nested = new Uint8Array(30_000).fill(0x81);
      assert.ok(!decode(nested).ok);
    });
  }

  it('of evidence give nothing for garbage', () => {
    const message = fc.uint8Array({ maxLength: 100 });
    const kind = fc.constantFrom('duplicate-vote', 'duplicate-proposal', 'amnesia');
    fc.assert(
      fc.property(kind, message, message, (of, a, b) => {
        assert.equal(evidenceOf({ kind: of, messages: [a, b] }), undefined);
      }),
    );
    assert.equal(evidenceOf({ kind: 'amnesia', messages: [commit, commit] }), undefined);
  });
});
