import type { Certificate, Commit, RoundEntry } from './certificate.ts';
import type { Evidence } from './evidence.ts';
import { type RoundState, startOfHeight, type TimeoutStep } from './round-machine.ts';
import type { ValidatorSet } from './validator-set.ts';
import type { Proposal, UnsignedProposal, UnsignedVote, ValueId, Vote } from './vote.ts';
import { createVoteKeeper, type VoteKeeper } from './vote-keeper.ts';

/** A proposal with what the application says of it. */
export interface JudgedProposal {
  readonly proposal: Proposal;
  /** The paper's valid(v): the same for every correct validator. */
  readonly valid: boolean;
  /**
   * Whether its time is near the clock it came by (proposer-based timestamps). Validators may
   * differ on this, so it counts for the prevote of a fresh value and for nothing else.
   */
  readonly timely: boolean;
}

/** One validator's view of one height, until it is decided. */
export interface HeightState {
  readonly validators: ValidatorSet;
  readonly round: RoundState;
  readonly votes: VoteKeeper;
  readonly proposals: readonly JudgedProposal[];
  /** Votes of rounds beyond the next: of each voter the newest of each type, no more. */
  readonly far: ReadonlyMap<string, Vote>;
  /** The timeouts already asked for in this round: lines 34 and 47, "for the first time". */
  readonly scheduled: ReadonlySet<TimeoutStep>;
  /** Whether this round's value to propose has been asked for and has not come. */
  readonly awaitsValue: boolean;
  /** What let this validator into its round; undefined in the first. */
  readonly entry: RoundEntry | undefined;
  readonly decision: Commit | undefined;
}

/**
 * What happens to a height. Signatures are checked before: of proposals, votes, certificates.
 * What this validator signs comes back as an input like that of others.
 */
export type HeightInput =
  | { readonly kind: 'start' }
  | { readonly kind: 'value'; readonly round: number; readonly value: ValueId }
  | ({ readonly kind: 'proposal' } & JudgedProposal)
  | { readonly kind: 'vote'; readonly vote: Vote }
  | { readonly kind: 'certificate'; readonly certificate: Certificate }
  | { readonly kind: 'timeout'; readonly step: TimeoutStep; readonly round: number };

/** What is to be done, in this order, once the input is durable. */
export type HeightEffect =
  /** Bring a value to propose in this round, as the input `value`. */
  | { readonly kind: 'get-value'; readonly round: number }
  | { readonly kind: 'sign-proposal'; readonly proposal: UnsignedProposal }
  | { readonly kind: 'sign-vote'; readonly vote: UnsignedVote }
  | { readonly kind: 'schedule'; readonly step: TimeoutStep; readonly round: number }
  | { readonly kind: 'send'; readonly certificate: Certificate }
  | { readonly kind: 'report'; readonly evidence: Evidence }
  /** Never more than one at a height; the certificate is what proves it to others. */
  | { readonly kind: 'decide'; readonly certificate: Commit; readonly proposal: Proposal };

/** A validator, or who follows and never votes, before the first round of a height. */
export function createHeight(self: string, height: number, validators: ValidatorSet): HeightState {
  return {
    validators,
    round: startOfHeight(self, height),
    votes: createVoteKeeper(height, validators),
    proposals: [],
    far: new Map(),
    scheduled: new Set(),
    awaitsValue: false,
    entry: undefined,
    decision: undefined,
  };
}
