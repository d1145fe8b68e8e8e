import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { openDatabase } from '#runtime/database/database.ts';
import { verifyAccountNatively } from '#runtime/identity/native-verification.ts';
import { type KeyId, keyIdOf } from '#shared/identity/keys.ts';
import { type Block, blockHash, encodeBlock, transactionsDigest } from '#shared/ledger/block.ts';
import { exampleMember, member, operator } from '#shared/ledger/chain.fixture.ts';
import { chainStateAtGenesis } from '#shared/ledger/chain-state.ts';
import type { Evidence } from '#shared/ledger/consensus/evidence.ts';
import { decodeMessage } from '#shared/ledger/consensus/message-codec.ts';
import {
  sign,
  signableProposal,
  signableVote,
} from '#shared/ledger/consensus/message-signature.ts';
import type { ConsensusMessage } from '#shared/ledger/consensus/resend.ts';
import { proposerOf } from '#shared/ledger/consensus/validator-set.ts';
import type { Proposal, Vote } from '#shared/ledger/consensus/vote.ts';
import { stageBlock } from '#shared/ledger/execute-block.ts';
import { encodeGenesis } from '#shared/ledger/genesis.ts';
import { signTransaction } from '#shared/ledger/transaction.ts';
import { taskDefinition, testGenesis } from '../ledger-cluster.fixture.ts';
import { nativeMember } from '../native-member.fixture.ts';
import { decodeFrame, encodeFrame } from './consensus-frame.ts';
import { Machine } from './crash-lab.fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-abuse-'));
after(() => rmSync(folder, { recursive: true }));

const genesis = testGenesis(4);
const NOW_MS = genesis.timeMs + 1_000;
const { chain, writes } = chainStateAtGenesis(genesis);
const state = new Map([...writes].map(([key, value]) => [key, value!]));
const { validators } = chain.roster;
const idOf = (n: number): KeyId => keyIdOf(member(n).publicKey);
const byId = (id: string) => [0, 1, 2, 3].find((n) => idOf(n) === id)!;
/** Who proposes in round 0, and in round 1, at height 1; the one under test does in round 3. */
const first = byId(proposerOf(validators, 1, 0));
const second = byId(proposerOf(validators, 1, 1));
const third = byId(proposerOf(validators, 1, 2));
const self = byId(proposerOf(validators, 1, 3));

let files = 0;
let machine: Machine;
let penalised: string[];
let reported: Evidence[];
let ahead: number;
let sent: ConsensusMessage[];
let diskError: Error | undefined;

beforeEach(async () => {
  [penalised, reported, ahead, sent, diskError] = [[], [], 0, [], undefined];
  machine = new Machine({
    file: join(folder, `${files++}.sqlite`),
    genesis: encodeGenesis(genesis),
    signer: nativeMember(self),
    validator: idOf(self),
    self: exampleMember(self).peer,
    peers: [first, second, third].map((n) => exampleMember(n).peer),
    startMs: NOW_MS,
    transactions: () => [],
    shown: () => [],
    peersHeight: () => 0,
    onSent: (_to, bytes) => {
      const frame = decodeFrame(bytes);
      const message = frame.ok ? decodeMessage(frame.value.message) : undefined;
      if (message?.ok) sent.push(message.value);
    },
    onPenalised: (peer, code) => penalised.push(`${peer === exampleMember(first).peer} ${code}`),
    onReport: (evidence) => reported.push(evidence),
    onAhead: () => ahead++,
    onWrite: () => {
      if (diskError !== undefined) throw diskError;
    },
  });
  await machine.settle();
});
afterEach(() => machine[Symbol.dispose]());

describe('a peer that is provably wrong is penalised, and nothing of it is taken in', () => {
  const good = () => encodeFrame({ message: new Uint8Array([0xa0]) });
  const vote = (changes: Partial<Vote> = {}): ConsensusMessage => ({
    kind: 'vote',
    vote: signedVote(first, changes),
  });
  for (const [name, code, bytes] of [
    ['garbage', 'frame-malformed', () => new Uint8Array(100).fill(0x5a)],
    ['nothing', 'frame-malformed', () => new Uint8Array()],
    ['a truncated frame', 'frame-malformed', () => good().subarray(0, -1)],
    ['a frame around garbage', 'message-malformed', good],
  ] as const) {
    it(name, async () => {
      await machine.hearBytes(exampleMember(first).peer, bytes());
      refused(code);
    });
  }

  for (const [name, code, message] of [
    ['a vote of no validator', 'vote-of-stranger', () => vote({ voter: idOf(9) })],
    ['a vote somebody else signed', 'wrong-signature', () => vote({ voter: idOf(second) })],
    ['a vote for another chain', 'wrong-signature', () => voteOfAnotherChain()],
    ['a proposal out of turn', 'proposal-out-of-turn', () => proposalOf(second, 0)],
    ['a proposal somebody else signed', 'wrong-signature', () => stolenProposal()],
    ['a polka of too few', 'too-little-weight', () => polka([first, second])],
    ['a polka with a voter twice', 'repeated-voter', () => polka([first, second, second])],
    ['a polka with a stranger', 'unknown-voter', () => polka([first, second, 9])],
    ['a polka with a forged vote', 'wrong-signature', () => forgedPolka()],
  ] as const) {
    it(name, async () => {
      await machine.hear(exampleMember(first).peer, message());
      refused(code);
    });
  }

  it('a proposal with another block', async () => {
    const block = stage();
    const other = encodeBlock(altered(block, { timeMs: block.header.timeMs + 1 }));
    await machine.hear(exampleMember(first).peer, proposalOf(first, 0, block), other);
    refused('block-of-another-hash');
  });

  it('a proposal with transactions of another block', async () => {
    const mixed = encodeBlock({ ...stage(), transactions: [transaction(1)] });
    await machine.hear(exampleMember(first).peer, proposalOf(first, 0), mixed);
    refused('block-malformed');
  });

  it('a proposal with bytes that are no block', async () => {
    const bytes = encodeBlock(stage()).subarray(0, -1);
    await machine.hear(exampleMember(first).peer, proposalOf(first, 0), bytes);
    refused('block-malformed');
  });

  function refused(code: string): void {
    assert.deepEqual(penalised, [`true ${code}`]);
    assert.equal(machine.events.counts()[code], 1);
    assert.deepEqual(sent, []);
    assert.equal(machine.engine.status.step, 'none');
  }
});

describe('a proposal of a block that must not be decided gets a vote for nil', () => {
  const digest = 'ab'.repeat(32) as never;
  for (const [name, code, changes] of [
    ['of another chain', 'wrong-chain', { chainId: 'elsewhere' }],
    ['at another height', 'wrong-height', { height: 2 }],
    ['after another block', 'wrong-previous', { previous: digest }],
    ['before its predecessor', 'time-not-after', { timeMs: genesis.timeMs }],
    ['with another state', 'wrong-state', { state: digest }],
    ['with another log', 'wrong-log', { logRoot: digest }],
    ['with other validators', 'wrong-validators', { nextValidators: digest }],
  ] as const) {
    it(name, async () => {
      const block = altered(stage(), changes);
      await machine.hear(
        exampleMember(first).peer,
        proposalOf(first, 0, block),
        encodeBlock(block),
      );
      assert.equal(machine.events.counts()[`block-${code}`], 1);
      assert.deepEqual(penalised, ['true proposal-invalid']);
      assert.deepEqual(prevotes(), [null]);
    });
  }

  it('with a transaction of nobody', async () => {
    const forged = [transaction(9)];
    const digest = transactionsDigest(forged);
    const block = altered({ ...stage(), transactions: forged }, { transactions: digest });
    await machine.hear(exampleMember(first).peer, proposalOf(first, 0, block), encodeBlock(block));
    assert.equal(machine.events.counts()['block-transaction-not-includable'], 1);
    assert.deepEqual(prevotes(), [null]);
  });

  it('far from the time it comes at, but blames nobody for it', async () => {
    await machine.pass(60_000);
    const block = stage();
    await machine.hear(exampleMember(first).peer, proposalOf(first, 0, block), encodeBlock(block));
    assert.equal(machine.events.counts()['proposal-untimely'], 1);
    assert.deepEqual(penalised, []);
    assert.deepEqual(prevotes(), [null]);
  });

  it('but a sound one is voted for', async () => {
    const block = stage([transaction(0)]);
    await machine.hear(exampleMember(first).peer, proposalOf(first, 0, block), encodeBlock(block));
    assert.deepEqual(prevotes(), [blockHash(block.header)]);
  });
});

describe('a peer that is merely early, late or loud is not penalised', () => {
  it('of a later height, it is held to be ahead', async () => {
    await hearVote(first, { height: 7 });
    assert.equal(ahead, 1);
    assert.equal(machine.events.counts()['message-of-later-height'], 1);
  });

  it('of the next height, it is heard when that begins, up to a limit', async () => {
    for (let round = 0; round < 70; round++) await hearVote(first, { height: 2, round });
    assert.equal(machine.events.counts()['message-too-early'], 6);
    assert.equal(machine.engine.status.step, 'none');
  });

  it('of rounds far ahead, few votes are kept', async () => {
    for (let round = 2; round < 50; round++) await hearVote(first, { round });
    assert.equal(machine.events.counts()['vote-too-far'], 16);
  });

  it('what it repeats is taken in once', async () => {
    for (let i = 0; i < 20; i++) await hearVote(first);
    await hearVote(second, { value: null });
    await machine.pass(500);
    assert.equal(machine.store.inputs().length, 5, 'start, two votes, the timeout, the own vote');
  });

  it('what no validator says is not looked at', async () => {
    await machine.hear(exampleMember(9).peer, { kind: 'vote', vote: signedVote(first) });
    assert.equal(machine.events.counts()['message-of-no-validator'], 1);
    assert.equal(machine.engine.status.step, 'none');
  });

  afterEach(() => assert.deepEqual(penalised, []));
});

describe('a validator that says two things at once', () => {
  it('is reported for its votes', async () => {
    await hearVote(first);
    await hearVote(first, { value: null });
    assert.deepEqual(
      reported.map(({ kind }) => kind),
      ['duplicate-vote'],
    );
  });

  it('is reported for its proposals, of which no third one is even executed', async () => {
    for (const n of [1, 2, 3]) {
      const block = stage([], NOW_MS + n);
      await machine.hear(
        exampleMember(first).peer,
        proposalOf(first, 0, block),
        encodeBlock(block),
      );
    }
    assert.deepEqual(
      reported.map(({ kind }) => kind),
      ['duplicate-proposal'],
    );
    assert.equal(machine.events.counts()['proposal-not-of-use'], 1);
    assert.equal(prevotes().length, 1);
  });

  it('is this one, if its key is used elsewhere, and signs no more', async () => {
    await hearVote(first);
    const twin: ConsensusMessage = { kind: 'vote', vote: signedVote(self, { value: null }) };
    await machine.hear(exampleMember(second).peer, twin);
    assert.equal(machine.engine.status.signing, 'stopped');
    assert.equal(machine.events.counts()['key-signed-elsewhere'], 1);
    const block = stage();
    await machine.hear(exampleMember(first).peer, proposalOf(first, 0, block), encodeBlock(block));
    assert.deepEqual(prevotes(), []);
  });
});

describe('a disk that is full', () => {
  it('lets nothing out, and is tried again until there is room', async () => {
    diskError = fullDisk();
    const block = stage([transaction(0)]);
    await machine.hear(exampleMember(first).peer, proposalOf(first, 0, block), encodeBlock(block));
    await machine.pass(2_000);
    assert.equal(machine.engine.status.trouble, 'disk-full');
    assert.deepEqual(sent, []);
    assert.equal(machine.store.chain.head.height, 0);
    await hearVote(first, { value: blockHash(block.header) });
    assert.equal(machine.events.counts()['message-while-blocked'], 1);
    diskError = undefined;
    await machine.pass(4_000);
    assert.equal(machine.engine.status.trouble, undefined);
    assert.deepEqual(prevotes().slice(0, 1), [blockHash(block.header)]);
  });

  it('keeps a decision until it can be written', async () => {
    const block = stage([transaction(0)]);
    const value = blockHash(block.header);
    await machine.hear(exampleMember(first).peer, proposalOf(first, 0, block), encodeBlock(block));
    diskError = fullDisk();
    for (const n of [first, second, third]) await hearVote(n, { type: 'precommit', value });
    assert.equal(machine.store.chain.head.height, 0);
    diskError = undefined;
    await machine.pass(300);
    assert.equal(machine.store.chain.head.hash, value);
  });

  it('is told from an error of the program, after which nothing goes on', async () => {
    diskError = new Error('no such table');
    const block = stage();
    await machine.hear(exampleMember(first).peer, proposalOf(first, 0, block), encodeBlock(block));
    diskError = undefined;
    await machine.pass(20_000);
    assert.equal(machine.engine.status.trouble, 'failed');
    assert.equal(machine.events.counts()['consensus-failed'], 1);
    assert.deepEqual(sent, []);
  });

  /** What SQLite says where a file must not grow. */
  function fullDisk(): Error {
    const database = openDatabase(join(folder, `${files++}.sqlite`), {
      name: 'small',
      migrations: ['CREATE TABLE small (bytes BLOB)'],
    });
    try {
      database.pragma('max_page_count = 2');
      database.prepare('INSERT INTO small VALUES (zeroblob(100000))').run();
    } catch (cause) {
      return cause as Error;
    } finally {
      database.close();
    }
    throw new Error('the database had room');
  }
});

function prevotes(): (string | null)[] {
  const values = new Map<string, string | null>();
  for (const message of sent) {
    if (message.kind === 'vote') values.set(message.vote.signature, message.vote.value);
  }
  return [...values.values()];
}

async function hearVote(n: number, changes: Partial<Vote> = {}): Promise<void> {
  await machine.hear(exampleMember(n).peer, { kind: 'vote', vote: signedVote(n, changes) });
}

function signedVote(n: number, changes: Partial<Vote> = {}, chainId = genesis.chainId): Vote {
  const vote = {
    ...{ type: 'prevote' as const, height: 1, round: 0, value: 'cd'.repeat(32), validRound: -1 },
    ...{ voter: idOf(n), ...changes },
  };
  return { ...vote, signature: sign(nativeMember(n), signableVote(chainId, vote)) };
}

function voteOfAnotherChain(): ConsensusMessage {
  return { kind: 'vote', vote: signedVote(first, {}, 'elsewhere') };
}

function polka(voters: readonly number[]): ConsensusMessage {
  const votes = voters.map((n) => signedVote(n));
  const { height, round, validRound } = votes[0]!;
  const certificate = { kind: 'polka' as const, height, round, value: 'cd'.repeat(32), validRound };
  return { kind: 'certificate', certificate: { ...certificate, votes } };
}

function forgedPolka(): ConsensusMessage {
  const message = polka([first, second, third]);
  assert.ok(message.kind === 'certificate');
  const [a, b, c] = message.certificate.votes;
  const votes = [a!, b!, { ...c!, signature: b!.signature }];
  return { ...message, certificate: { ...message.certificate, votes } as never };
}

function proposalOf(n: number, round: number, block = stage()): ConsensusMessage {
  const value = blockHash(block.header);
  return { kind: 'proposal', proposal: signedProposal(n, { round, value, proposer: idOf(n) }) };
}

function stolenProposal(): ConsensusMessage {
  const value = blockHash(stage().header);
  const proposal = signedProposal(second, { round: 0, value, proposer: idOf(first) });
  return { kind: 'proposal', proposal };
}

function signedProposal(n: number, of: Pick<Proposal, 'round' | 'value' | 'proposer'>): Proposal {
  const proposal = { height: 1, validRound: -1, ...of };
  return {
    ...proposal,
    signature: sign(nativeMember(n), signableProposal(genesis.chainId, proposal)),
  };
}

function transaction(n: number) {
  const signer = n === 9 ? { ...operator(9) } : operator(n);
  const place = { chainId: genesis.chainId, signerSequence: 1, notAfterHeight: 100 };
  const signed = signTransaction(taskDefinition(n), place, signer);
  assert.ok(signed.ok);
  return signed.value;
}

/** A block of the first proposer. */
function stage(transactions: ReturnType<typeof transaction>[] = [], timeMs = NOW_MS): Block {
  const proposer = idOf(first);
  const draft = { transactions, timeMs, proposer, verify: verifyAccountNatively };
  return stageBlock(chain, state, draft).staged.block;
}

function altered(block: Block, changes: Partial<Block['header']>): Block {
  return { ...block, header: { ...block.header, ...changes } };
}
