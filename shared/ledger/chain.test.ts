import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { assert as expect } from '../basics/assert.ts';
import { encodeCanonical, type Plain } from '../codec/canonical.ts';
import { digestOfPlain } from '../identity/digest.ts';
import { keyIdOf } from '../identity/keys.ts';
import { seededSigner } from '../identity/seeded-signer.ts';
import {
  type Block,
  type BlockHeader,
  blockHash,
  decodeBlock,
  encodeBlock,
  recordsDigest,
  signBlock,
} from './block.ts';
import { type Chain, chainAtGenesis, nextBlock, verifyChain } from './chain.ts';
import { exampleRecords, modelVersion } from './example-records.ts';
import type { Genesis } from './genesis.ts';
import type { LedgerRecord } from './record.ts';

const signer = seededSigner(1);
const proposer = keyIdOf(signer.publicKey);
const genesis: Genesis = { v: 1, chainId: 'test', timeMs: 1000, validators: [signer.publicKey] };
const genesisBytes = encodeCanonical(genesis);
const { chain, blocks } = signedChain(exampleRecords(proposer, 5));

describe('a chain', () => {
  it('verifies from its genesis to the head and state it was built with', () => {
    assert.deepEqual(verifyBlocks(blocks), { ok: true, value: chain });
    assert.deepEqual(verifyBlocks([]), { ok: true, value: chainAtGenesis(genesis) });
  });

  it('takes a block with no record', () => {
    assert.ok(verifyBlocks([...blocks, forged(blocks.length, { records: [] })]).ok);
  });

  it('never goes back in time, whatever the clock says', () => {
    const next = nextBlock(chain, [modelVersion(proposer, 4)], { timeMs: 5, proposer });
    assert.ok(next.ok);
    assert.equal(next.value.header.timeMs, chain.head.timeMs);
  });

  it('carries on with no record that the rules refuse', () => {
    const records = [modelVersion(proposer, 4), modelVersion(proposer, 4)];
    const next = nextBlock(chain, records, { timeMs: 9000, proposer });
    assert.ok(!next.ok);
    assert.deepEqual([next.error.code, next.error.index], ['round-not-next', 1]);
  });
});

// Each of these is signed by the validator, and nothing else is wrong with it.
describe('a validly signed block is refused', () => {
  for (const [code, changes] of [
    ['wrong-previous', { previous: digestOfPlain('elsewhere') }],
    ['wrong-previous', { previous: blocks[0]!.header.previous }],
    ['wrong-height', { height: 3 }],
    ['wrong-height', { height: 5 }],
    ['time-went-back', { timeMs: blocks[2]!.header.timeMs - 1 }],
    ['unknown-proposer', { proposer: keyIdOf(seededSigner(2).publicKey) }],
  ] as [string, Partial<BlockHeader>][]) {
    it(`with ${code}: ${JSON.stringify(changes)}`, () => {
      refused([...blocks.slice(0, 3), forged(3, { header: changes })], code, 4);
    });
  }

  it('where its records are not those of its header', () => {
    const other = { ...forged(3, {}), records: [] };
    refused([...blocks.slice(0, 3), other], 'wrong-records', 4);
  });

  it('where its records break a contract rule', () => {
    const block = forged(3, { records: [modelVersion(proposer, 7)] });
    refused([...blocks.slice(0, 3), block], 'record-rejected', 4);
  });

  it('where it follows on another chain', () => {
    const elsewhere = signedChain(exampleRecords(proposer, 5), { ...genesis, timeMs: 1001 });
    refused(elsewhere.blocks, 'wrong-previous', 1);
    refused([...blocks.slice(0, 2), ...elsewhere.blocks.slice(2)], 'wrong-previous', 3);
  });

  it('where history before it was rewritten and signed anew', () => {
    const rewritten = forged(1, { header: { timeMs: blocks[1]!.header.timeMs + 1 } });
    refused([blocks[0]!, rewritten, ...blocks.slice(2)], 'wrong-previous', 3);
  });
});

describe('a block is refused', () => {
  it('without the signature of its proposer', () => {
    const { header, records } = blocks[3]!;
    const stranger = signBlock(header, records, seededSigner(2));
    refused([...blocks.slice(0, 3), stranger], 'wrong-signature', 4);
    const { signature } = blocks[2]!;
    refused([...blocks.slice(0, 3), { ...blocks[3]!, signature }], 'wrong-signature', 4);
  });
});

describe('a tampered chain', () => {
  const encoded = [genesisBytes, ...blocks.map(encodeBlock)];
  const index = fc.nat(encoded.length - 1);

  it('is refused whichever byte is changed', () => {
    fc.assert(
      fc.property(index, fc.nat(), fc.integer({ min: 1, max: 255 }), (at, offset, mask) => {
        const altered = encoded[at]!.slice();
        altered[offset % altered.length]! ^= mask;
        assert.ok(!verifyEncoded(encoded.with(at, altered)).ok);
      }),
    );
  });

  it('is refused with a block dropped, doubled or out of its place', () => {
    const place = fc.integer({ min: 1, max: encoded.length - 1 });
    fc.assert(
      fc.property(place, place, (from, to) => {
        const without = encoded.toSpliced(from, 1);
        const atEnd = from === encoded.length - 1;
        assert.equal(verifyEncoded(without).ok, atEnd);
        assert.equal(verifyEncoded(without.toSpliced(to, 0, encoded[from]!)).ok, from === to);
        assert.ok(!verifyEncoded(encoded.toSpliced(to, 0, encoded[from]!)).ok);
      }),
      { numRuns: 30 },
    );
  });

  it('is refused cut off within a block', () => {
    fc.assert(
      fc.property(index, fc.nat(), (at, length) => {
        const cut = encoded[at]!.slice(0, length % encoded[at]!.length);
        assert.ok(!verifyEncoded(encoded.with(at, cut)).ok);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a block', () => {
  it('comes back from its bytes as it was', () => {
    const block = fc
      .record({ height: fc.integer({ min: 1 }), timeMs: fc.nat(), count: fc.nat(8) })
      .map(({ height, timeMs, count }): Block => {
        const records = exampleRecords(proposer, count);
        return { ...blocks[0]!, header: { ...blocks[0]!.header, height, timeMs }, records };
      });
    fc.assert(
      fc.property(block, (value) => {
        assert.deepEqual(decodeBlock(encodeBlock(value)), { ok: true, value });
      }),
    );
  });

  it('has one encoding', () => {
    const [first] = blocks;
    const { signature, header, records } = first!;
    assert.deepEqual(encodeBlock({ records, signature, header }), encodeBlock(first!));
    const other = decodeBlock(unsorted({ signature, records, header }));
    assert.ok(!other.ok && other.error.code === 'block-malformed');
  });
});

describe('a genesis', () => {
  for (const [name, changes] of [
    ['no validator', { validators: [] }],
    ['a validator twice', { validators: [signer.publicKey, signer.publicKey] }],
    ['a small-order key', { validators: [`01${'00'.repeat(31)}`] }],
    ['a newer version', { v: 2 }],
  ] as const) {
    it(`is refused with ${name}`, () => {
      const verdict = verifyEncoded([encodeCanonical({ ...genesis, ...changes })]);
      assert.ok(!verdict.ok && verdict.error.code === 'genesis-malformed');
    });
  }

  it('has one encoding', () => {
    const { v, chainId, timeMs, validators } = genesis;
    assert.deepEqual(encodeCanonical({ timeMs, validators, chainId, v }), genesisBytes);
    assert.ok(!verifyEncoded([unsorted({ validators, timeMs, chainId, v })]).ok);
  });
});

/** CBOR of a small map with its keys as they come. */
function unsorted(map: { [key: string]: Plain }): Uint8Array {
  const entries = Object.entries(map);
  const parts = entries.flat().map((part) => encodeCanonical(part));
  return Buffer.concat([Buffer.of(0xa0 + entries.length), ...parts]);
}

function signedChain(records: LedgerRecord[], from = genesis): { chain: Chain; blocks: Block[] } {
  let chain = chainAtGenesis(from);
  const blocks = records.map((record) => {
    const timeMs = chain.head.timeMs + 10;
    const next = nextBlock(chain, [record], { timeMs, proposer });
    expect(next.ok, 'the example fits');
    chain = next.value.chain;
    return signBlock(next.value.header, [record], signer);
  });
  return { chain, blocks };
}

/** The block after `index` others, with changes, its header made to fit, and signed. */
function forged(
  index: number,
  { header = {}, records }: { header?: Partial<BlockHeader>; records?: LedgerRecord[] },
): Block {
  const before = blocks[index - 1]!.header;
  const carried = records ?? blocks[index]!.records;
  const fitting: BlockHeader = {
    v: 1,
    height: index + 1,
    previous: blockHash(before),
    timeMs: before.timeMs,
    records: recordsDigest(carried),
    proposer,
  };
  return signBlock({ ...fitting, ...header }, carried, signer);
}

function verifyBlocks(list: readonly Block[]) {
  return verifyEncoded([genesisBytes, ...list.map(encodeBlock)]);
}

function verifyEncoded([first, ...rest]: readonly Uint8Array[]) {
  return verifyChain({ genesis: first!, blocks: rest });
}

function refused(list: readonly Block[], code: string, height: number): void {
  const verdict = verifyBlocks(list);
  assert.ok(!verdict.ok, 'the chain was taken');
  assert.deepEqual([verdict.error.code, verdict.error.height], [code, height]);
}
