import type { ConsensusMessage } from '#shared/ledger/consensus/resend.ts';
import type { Vote } from '#shared/ledger/consensus/vote.ts';
import type { Moves } from './adversary.ts';
import { signProposal, signVote } from './simulated-signature.ts';

/** Sends a correct validator something wrong, made of what was just heard. */
export function garbage(moves: Moves, message: ConsensusMessage): void {
  const { random, targets } = moves.world;
  const to = targets[Math.floor(random() * targets.length)]!;
  const made = KINDS[Math.floor(random() * KINDS.length)]!(moves, message);
  if (made !== undefined) moves.world.send(to, made);
}

type Maker = (moves: Moves, message: ConsensusMessage) => ConsensusMessage | undefined;

const KINDS: readonly Maker[] = [
  forgedVote,
  forgedProposal,
  farVote,
  strangersVote,
  thinCertificate,
  repeatedCertificate,
  paddedCertificate,
  forgedCertificate,
  foreignProposal,
  replayed,
];

/** A correct validator's vote, turned to nil with the signature left as it was. */
function forgedVote(_: Moves, message: ConsensusMessage): ConsensusMessage | undefined {
  if (message.kind !== 'vote') return undefined;
  const value = message.vote.value === null ? 'forged' : null;
  return { kind: 'vote', vote: { ...message.vote, value, validRound: -1 } };
}

function forgedProposal(_: Moves, message: ConsensusMessage): ConsensusMessage | undefined {
  if (message.kind !== 'proposal') return undefined;
  return { kind: 'proposal', proposal: { ...message.proposal, value: 'forged' } };
}

/** Votes of many rounds ahead, which must neither move a validator nor fill its memory. */
function farVote({ world }: Moves, message: ConsensusMessage): ConsensusMessage | undefined {
  if (message.kind !== 'vote') return undefined;
  const round = message.vote.round + 1 + Math.floor(world.random() * 1000);
  return { kind: 'vote', vote: signVote({ ...message.vote, round, voter: world.faulty[0]! }) };
}

function strangersVote(_: Moves, message: ConsensusMessage): ConsensusMessage | undefined {
  if (message.kind !== 'vote') return undefined;
  return { kind: 'vote', vote: signVote({ ...message.vote, voter: 'stranger' }) };
}

/** The faulty validators' own votes for a value of their own, called a commit or polka. */
function thinCertificate(moves: Moves, message: ConsensusMessage): ConsensusMessage | undefined {
  return certificateOf(moves, message, ownVotes(moves, message));
}

/** The same, with each vote counted as often as it takes. */
function repeatedCertificate(moves: Moves, message: ConsensusMessage) {
  const votes = ownVotes(moves, message);
  const times = moves.world.validators.weights.size;
  return certificateOf(moves, message, Array.from({ length: times }, () => votes).flat());
}

/** The same, filled up with votes of strangers. */
function paddedCertificate(moves: Moves, message: ConsensusMessage) {
  const votes = ownVotes(moves, message);
  const strangers = votes
    .slice(0, 1)
    .flatMap((vote) =>
      Array.from({ length: moves.world.validators.weights.size }, (_, i) =>
        signVote({ ...vote, voter: `stranger ${i}` }),
      ),
    );
  return certificateOf(moves, message, [...votes, ...strangers]);
}

/** The same, filled up with votes that the correct validators did not sign. */
function forgedCertificate(moves: Moves, message: ConsensusMessage) {
  const votes = ownVotes(moves, message);
  const forged = votes
    .slice(0, 1)
    .flatMap((vote) => moves.world.targets.map(({ address }) => ({ ...vote, voter: address })));
  return certificateOf(moves, message, [...votes, ...forged]);
}

/** A proposal of who is not the proposer. */
function foreignProposal({ world, fresh }: Moves, message: ConsensusMessage) {
  if (message.kind !== 'vote') return undefined;
  const { height, round } = message.vote;
  const proposer = world.faulty[0]!;
  const proposal = signProposal({ height, round, value: fresh(), validRound: -1, proposer });
  return { kind: 'proposal', proposal } as const;
}

function replayed({ world, heard }: Moves): ConsensusMessage | undefined {
  return heard[Math.floor(world.random() * heard.length)];
}

function ownVotes({ world, fresh }: Moves, message: ConsensusMessage): Vote[] {
  if (message.kind !== 'vote') return [];
  const { type, height, round } = message.vote;
  const value = fresh();
  return world.faulty.map((voter) =>
    signVote({ type, height, round, value, validRound: -1, voter }),
  );
}

function certificateOf(
  moves: Moves,
  message: ConsensusMessage,
  votes: readonly Vote[],
): ConsensusMessage | undefined {
  const [first] = votes;
  if (message.kind !== 'vote' || first === undefined || first.value === null) return undefined;
  const { height, round, value, type } = first;
  // Whoever believes the certificate must have the value too, or it could do no harm.
  const proposer = moves.proposer({ height, round });
  if (proposer !== undefined) moves.propose({ height, round }, value, -1, moves.world.targets);
  const certificate =
    type === 'prevote'
      ? ({ kind: 'polka', height, round, value, validRound: -1, votes } as const)
      : ({ kind: 'commit', height, round, value, votes } as const);
  return { kind: 'certificate', certificate };
}
