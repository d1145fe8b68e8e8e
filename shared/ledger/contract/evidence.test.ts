import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accountSignerOf } from '../../identity/account-key.ts';
import { digestOfPlain } from '../../identity/digest.ts';
import { keyIdOf } from '../../identity/keys.ts';
import { ExampleChain, exampleGenesis, exampleMember, member, operator } from '../chain.fixture.ts';
import type { Commit, Polka } from '../consensus/certificate.ts';
import type { Evidence } from '../consensus/evidence.ts';
import { encodeMessage } from '../consensus/message-codec.ts';
import { sign, signableProposal, signableVote } from '../consensus/message-signature.ts';
import type { Proposal, UnsignedVote, Vote } from '../consensus/vote.ts';
import { ANSWER_HEIGHTS, evidenceBody, evidenceOf } from './evidence.ts';
import { readState } from './state.ts';

const HEIGHT = 5;
const node = (n: number) => accountSignerOf(member(n));
const idOf = (n: number) => keyIdOf(member(n).publicKey);
const v = digestOfPlain('v');
const w = digestOfPlain('w');

function vote(n: number, changes: Partial<UnsignedVote> = {}, chainId = 'site'): Vote {
  const unsigned: UnsignedVote = {
    ...{ type: 'prevote', height: HEIGHT, round: 0, value: v, validRound: -1, voter: idOf(n) },
    ...changes,
  };
  return { ...unsigned, signature: sign(member(n), signableVote(chainId, unsigned)) };
}

function proposal(n: number, value: string): Proposal {
  const unsigned = { height: HEIGHT, round: 0, value, validRound: -1, proposer: idOf(n) };
  return { ...unsigned, signature: sign(member(n), signableProposal('site', unsigned)) };
}

const doubleVote = (n: number): Evidence => ({
  kind: 'duplicate-vote',
  votes: [vote(n), vote(n, { value: w })],
});

function commit(voters: readonly number[], round = 0): Commit {
  const votes = voters.map((n) => vote(n, { type: 'precommit', round }));
  return { kind: 'commit', height: HEIGHT, round, value: v, votes };
}

function polka(voters: readonly number[], round: number): Polka {
  const votes = voters.map((n) => vote(n, { round, value: w }));
  return { kind: 'polka', height: HEIGHT, round, value: w, validRound: -1, votes };
}

/** 1 and 2 precommit v in round 0, and prevote w in round 2. */
const amnesia = {
  kind: 'amnesia',
  commit: commit([0, 1, 2]),
  polka: polka([1, 2, 3], 2),
} satisfies Evidence;

const outcome = (chain: ExampleChain, evidence: Evidence, height = 10) =>
  chain.apply(node(0), { type: 'evidence', body: evidenceBody(evidence) }, { height }).outcome;

const weights = (chain: ExampleChain) =>
  [0, 1, 2, 3].map((n) => readState(chain.state, 'validator', idOf(n))?.entry.weight);

describe('evidence', () => {
  it('is carried as it is', () => {
    const proposals = [proposal(1, v), proposal(1, w)] as const;
    for (const evidence of [doubleVote(1), { kind: 'duplicate-proposal', proposals }, amnesia]) {
      assert.deepEqual(evidenceOf(evidenceBody(evidence as Evidence)), evidence);
    }
  });

  it('of duplicates takes the vote of whom it names, until operators give it back', () => {
    const proposals = [proposal(2, v), proposal(2, w)] as const;
    const chain = new ExampleChain(exampleGenesis({ operators: 1 }));
    assert.equal(outcome(chain, doubleVote(1)), 'accepted');
    assert.equal(outcome(chain, { kind: 'duplicate-proposal', proposals }), 'accepted');
    assert.deepEqual(weights(chain), [1, 0, 0, 1]);
    assert.equal(readState(chain.state, 'accused', idOf(1))?.atHeight, 10);
    assert.equal(readState(chain.state, 'roster', 'voters')?.sinceHeight, 12);
    assert.equal(outcome(chain, doubleVote(1)), 'duplicate-evidence');
    const body = exampleMember(1);
    chain.apply(operator(0), { type: 'validator.add', body }, { height: 20 });
    assert.equal(readState(chain.state, 'accused', idOf(1)), undefined);
    assert.equal(outcome(chain, doubleVote(1), 30), 'evidence-too-old');
  });

  it('changes the roster two heights on', () => {
    const chain = new ExampleChain();
    chain.commit(chain.sign(node(0), { type: 'evidence', body: evidenceBody(doubleVote(3)) }));
    assert.equal(chain.chain.roster.validators.totalWeight, 4);
    assert.equal(chain.chain.nextRoster.validators.totalWeight, 3);
    assert.ok(!chain.chain.nextRoster.keys.has(idOf(3)));
    assert.equal(chain.chain.nextRoster.members.length, 4);
  });

  it('marks the last validator and leaves it its vote', () => {
    const chain = new ExampleChain(exampleGenesis({ members: 1 }));
    assert.equal(outcome(chain, doubleVote(0)), 'accepted');
    assert.deepEqual(weights(chain).slice(0, 1), [1]);
    assert.equal(readState(chain.state, 'accused', idOf(0))?.atHeight, 10);
  });

  it('of amnesia takes effect when nobody answered in time', () => {
    const chain = new ExampleChain();
    assert.equal(outcome(chain, amnesia), 'accepted');
    assert.deepEqual(weights(chain), [1, 1, 1, 1]);
    assert.equal(outcome(chain, amnesia, 10 + ANSWER_HEIGHTS), 'evidence-pending');
    assert.equal(outcome(chain, amnesia, 11 + ANSWER_HEIGHTS), 'accepted');
    assert.deepEqual(weights(chain), [1, 0, 0, 1]);
    assert.equal(outcome(chain, amnesia, 300), 'evidence-too-old');
  });

  it('of amnesia is void once a polka in between answers it', () => {
    const chain = new ExampleChain();
    const { messages } = evidenceBody(amnesia);
    const answer = (by: Polka) => {
      const bytes = encodeMessage({ kind: 'certificate', certificate: by });
      const body = { messages, answer: bytes };
      return chain.apply(node(1), { type: 'evidence.answer', body }).outcome;
    };
    const sound = polka([1, 2, 3], 1);
    assert.equal(answer(sound), 'not-an-answer');
    assert.equal(outcome(chain, amnesia), 'accepted');
    assert.equal(answer(polka([1, 2, 3], 2)), 'not-an-answer');
    assert.equal(answer(polka([1, 2], 1)), 'not-an-answer');
    for (const body of [
      { messages, answer: new Uint8Array(3) },
      { messages, answer: encodeMessage({ kind: 'vote', vote: vote(1) }) },
      { messages: [messages[1], messages[0]] as typeof messages, answer: messages[1] },
    ]) {
      const { outcome: refused } = chain.apply(node(1), { type: 'evidence.answer', body });
      assert.equal(refused, 'not-an-answer');
    }
    const voters = chain.state.get('roster/voters')!;
    chain.state.set('roster/voters', { sinceHeight: HEIGHT + 1 });
    assert.equal(answer(sound), 'evidence-too-old');
    chain.state.set('roster/voters', voters);
    assert.equal(answer(sound), 'accepted');
    assert.equal(answer(sound), 'evidence-answered');
    assert.equal(outcome(chain, amnesia, 500), 'evidence-answered');
    assert.deepEqual(weights(chain), [1, 1, 1, 1]);
  });

  const [one, two] = [vote(1), vote(1, { value: w })];
  for (const [name, code, evidence] of [
    ['the same vote twice', 'not-evidence', { kind: 'duplicate-vote', votes: [one, one] }],
    [
      'votes of two validators',
      'not-evidence',
      { kind: 'duplicate-vote', votes: [one, vote(2, { value: w })] },
    ],
    [
      'votes of two rounds',
      'not-evidence',
      { kind: 'duplicate-vote', votes: [one, vote(1, { round: 1, value: w })] },
    ],
    [
      'a vote that another signed',
      'not-evidence',
      { kind: 'duplicate-vote', votes: [one, { ...two, signature: vote(2).signature }] },
    ],
    [
      'votes of another chain',
      'not-evidence',
      { kind: 'duplicate-vote', votes: [vote(1, {}, 'another'), vote(1, { value: w }, 'another')] },
    ],
    ['a commit without a quorum', 'not-evidence', { ...amnesia, commit: commit([1, 2]) }],
    ['a polka of an earlier round', 'not-evidence', { ...amnesia, commit: commit([0, 1, 2], 3) }],
    ['a stranger', 'unknown-validator', doubleVote(8)],
  ] satisfies [string, string, Evidence][]) {
    it(`is refused with ${code} for ${name}`, () => {
      assert.equal(outcome(new ExampleChain(), evidence), code);
    });
  }

  it('is refused where kind and messages do not go together', () => {
    const chain = new ExampleChain();
    const { messages } = evidenceBody(doubleVote(1));
    for (const kind of ['duplicate-proposal', 'amnesia'] as const) {
      const { outcome: refused } = chain.apply(node(0), {
        type: 'evidence',
        body: { kind, messages },
      });
      assert.equal(refused, 'not-evidence');
    }
    const garbage = { kind: 'amnesia', messages: [new Uint8Array(3), new Uint8Array(3)] } as const;
    const body = { ...garbage, messages: [...garbage.messages] as [Uint8Array, Uint8Array] };
    assert.equal(chain.apply(node(0), { type: 'evidence', body }).outcome, 'not-evidence');
  });

  it('is none where one half of it is', () => {
    const { messages } = evidenceBody(amnesia);
    const garbage = new Uint8Array(3);
    assert.equal(evidenceOf({ kind: 'amnesia', messages: [garbage, messages[1]] }), undefined);
    assert.equal(evidenceOf({ kind: 'amnesia', messages: [messages[0], garbage] }), undefined);
    assert.equal(evidenceOf({ kind: 'amnesia', messages: [messages[0], messages[0]] }), undefined);
    assert.equal(evidenceOf({ kind: 'amnesia', messages: [messages[1], messages[1]] }), undefined);
  });

  it('counts from the first height of those who vote, whoever follows', () => {
    const chain = new ExampleChain(exampleGenesis({ operators: 1 }));
    const add = (n: number, weight: number, height: number) => {
      const body = exampleMember(n, { weight });
      chain.apply(operator(0), { type: 'validator.add', body }, { height });
    };
    add(5, 0, 1);
    add(4, 1, 3);
    assert.equal(outcome(chain, doubleVote(4)), 'accepted');
    const remove = { type: 'validator.remove', body: { keyId: idOf(4) } } as const;
    chain.apply(operator(0), remove, { height: 3 });
    chain.state.set('roster/voters', { sinceHeight: HEIGHT });
    assert.equal(outcome(chain, amnesia), 'accepted');
  });

  it('of an earlier membership is refused', () => {
    const chain = new ExampleChain(exampleGenesis({ operators: 1 }));
    const body = exampleMember(4);
    chain.apply(operator(0), { type: 'validator.add', body }, { height: 10 });
    assert.equal(outcome(chain, amnesia), 'evidence-too-old');
    assert.equal(outcome(chain, doubleVote(4)), 'evidence-too-old');
    assert.equal(outcome(chain, doubleVote(1)), 'accepted');
  });
});
