/** A proposed value's digest; the consensus core never looks behind it. */
export type ValueId = string;

export type VoteType = 'prevote' | 'precommit';

/** Stands for "no round": nothing locked, nothing valid yet, a proposal of a fresh value. */
export const NO_ROUND = -1;

/**
 * A vote before it is signed. `value` is null for nil. `validRound` is what the accountable variant
 * adds to a prevote: the valid round of the proposal it answers. It is -1 in a precommit, and in a
 * vote for nil, where it would decide nothing.
 */
export interface UnsignedVote {
  readonly type: VoteType;
  readonly height: number;
  readonly round: number;
  readonly value: ValueId | null;
  readonly validRound: number;
  readonly voter: string;
}

export interface Vote extends UnsignedVote {
  readonly signature: string;
}

/** A proposal before it is signed; `validRound` is -1 for a fresh value. */
export interface UnsignedProposal {
  readonly height: number;
  readonly round: number;
  readonly value: ValueId;
  readonly validRound: number;
  readonly proposer: string;
}

export interface Proposal extends UnsignedProposal {
  readonly signature: string;
}

/** Whether two votes say the same, whatever their signatures. */
export function isSameVote(a: UnsignedVote, b: UnsignedVote): boolean {
  return (
    a.voter === b.voter &&
    a.value === b.value &&
    a.validRound === b.validRound &&
    a.type === b.type &&
    a.round === b.round &&
    a.height === b.height
  );
}

/** Whether two proposals say the same, whatever their signatures. */
export function isSameProposal(a: UnsignedProposal, b: UnsignedProposal): boolean {
  return (
    a.proposer === b.proposer &&
    a.value === b.value &&
    a.validRound === b.validRound &&
    a.round === b.round &&
    a.height === b.height
  );
}
