import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeCanonical, type Plain } from '../../codec/canonical.ts';
import { digestOfPlain } from '../../identity/digest.ts';
import { keyIdOf } from '../../identity/keys.ts';
import { seededSigner } from '../../identity/seeded-signer.ts';
import { verifyPortably } from '../../identity/signature.ts';
import { decodeMessage, encodeMessage } from './message-codec.ts';
import { createSignatureCheck, sign, signableProposal, signableVote } from './message-signature.ts';
import type { ConsensusMessage } from './resend.ts';
import type { Proposal, UnsignedVote, Vote } from './vote.ts';

const signer = seededSigner(1);
const maker = keyIdOf(signer.publicKey);
const value = digestOfPlain('block');
const check = createSignatureCheck('chain', new Map([[maker, signer.publicKey]]), verifyPortably);

function vote(changes: Partial<UnsignedVote> = {}): Vote {
  const unsigned: UnsignedVote = {
    ...{ type: 'prevote', height: 3, round: 2, value, validRound: 1, voter: maker },
    ...changes,
  };
  return { ...unsigned, signature: sign(signer, signableVote('chain', unsigned)) };
}

const offer = { height: 3, round: 2, value, validRound: -1, proposer: maker };
const proposal: Proposal = { ...offer, signature: sign(signer, signableProposal('chain', offer)) };
const precommit = vote({ type: 'precommit', validRound: -1 });
const place = { height: 3, round: 2, value };

const messages: ConsensusMessage[] = [
  { kind: 'proposal', proposal },
  { kind: 'vote', vote: vote() },
  { kind: 'vote', vote: vote({ value: null, validRound: -1 }) },
  {
    kind: 'certificate',
    certificate: { ...place, kind: 'polka', validRound: 1, votes: [vote()] },
  },
  { kind: 'certificate', certificate: { ...place, kind: 'commit', votes: [precommit] } },
  {
    kind: 'certificate',
    certificate: { kind: 'entry', height: 3, round: 3, votes: [precommit] },
  },
];

describe('a consensus message', () => {
  for (const message of messages) {
    const name = message.kind === 'certificate' ? message.certificate.kind : message.kind;
    it(`comes back as it was: ${name}`, () => {
      assert.deepEqual(decodeMessage(encodeMessage(message)), { ok: true, value: message });
    });
  }

  const refused: readonly (readonly [string, Plain])[] = [
    ['a newer version', { v: 2, kind: 'vote', vote: { ...vote() } }],
    ['an unknown kind', { v: 1, kind: 'gossip', vote: { ...vote() } }],
    ['a vote with more fields', { v: 1, kind: 'vote', vote: { ...vote(), more: 1 } }],
    ['a vote at height 0', { v: 1, kind: 'vote', vote: { ...vote(), height: 0 } }],
    ['a vote in round -1', { v: 1, kind: 'vote', vote: { ...precommit, round: -1 } }],
    ['a vote valid in its own round', { v: 1, kind: 'vote', vote: { ...vote(), validRound: 2 } }],
    ['a vote for no digest', { v: 1, kind: 'vote', vote: { ...vote(), value: 'v' } }],
    [
      'a precommit with a valid round',
      { v: 1, kind: 'vote', vote: { ...precommit, validRound: 0 } },
    ],
    ['a vote for nil with a valid round', { v: 1, kind: 'vote', vote: { ...vote(), value: null } }],
    ['a proposal of nil', { v: 1, kind: 'proposal', proposal: { ...proposal, value: null } }],
    [
      'a proposal valid later',
      { v: 1, kind: 'proposal', proposal: { ...proposal, validRound: 2 } },
    ],
    [
      'an entry into round 0',
      { v: 1, kind: 'entry', height: 3, round: 0, votes: [{ ...precommit }] },
    ],
    ['a commit of nobody', { v: 1, kind: 'commit', ...place, signers: [] }],
    [
      'a commit of too many',
      { v: 1, kind: 'commit', ...place, signers: new Array(32).fill([maker, proposal.signature]) },
    ],
    [
      'a polka valid later',
      { v: 1, kind: 'polka', ...place, validRound: 2, signers: [[maker, proposal.signature]] },
    ],
  ];
  for (const [name, plain] of refused) {
    it(`is not ${name}`, () => {
      const decoded = decodeMessage(encodeCanonical(plain));
      assert.ok(!decoded.ok && decoded.error.code === 'message-malformed');
    });
  }

  it('is not garbage, nor cut off anywhere', () => {
    const bytes = encodeMessage(messages[3]!);
    for (let end = 0; end < bytes.length; end++) assert.ok(!decodeMessage(bytes.slice(0, end)).ok);
    assert.ok(!decodeMessage(Uint8Array.from([...bytes, 0])).ok);
  });
});

describe('the signature of a consensus message', () => {
  it('holds for what was signed and nothing else', () => {
    assert.ok(check.vote(vote()));
    assert.ok(check.proposal(proposal));
    for (const changes of [
      { type: 'precommit' },
      { height: 4 },
      { round: 3 },
      { value: null },
      { value: digestOfPlain('other') },
      { validRound: 0 },
      { voter: digestOfPlain('nobody') },
    ] as const) {
      assert.ok(!check.vote({ ...vote(), ...changes }));
    }
    for (const changes of [{ height: 4 }, { round: 3 }, { validRound: 0 }] as const) {
      assert.ok(!check.proposal({ ...proposal, ...changes }));
    }
  });

  it('is of one chain', () => {
    const keys = new Map([[maker, signer.publicKey]]);
    const elsewhere = createSignatureCheck('another', keys, verifyPortably);
    assert.ok(!elsewhere.vote(vote()));
    assert.ok(!elsewhere.proposal(proposal));
  });

  it('of a proposal is none of a vote', () => {
    const { context, message } = signableProposal('chain', offer);
    assert.notEqual(context, signableVote('chain', vote()).context);
    assert.ok(!check.vote({ ...vote(), signature: signer.sign(context, message) }));
  });
});
