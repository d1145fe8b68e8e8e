import { holdsCorrect, isQuorum, type ValidatorSet, weightOf } from './validator-set.ts';
import { isSameVote, type ValueId, type Vote, type VoteType } from './vote.ts';

/** The weight behind one choice; prevotes of other valid rounds are another choice. */
export interface Tally {
  readonly value: ValueId | null;
  readonly validRound: number;
  readonly weight: number;
}

/** The votes of one type in one round. */
export interface VoteCount {
  /** By {@link choiceOf}. A voter counts for its first vote, and for those in certificates. */
  readonly tallies: ReadonlyMap<string, Tally>;
  readonly voters: ReadonlySet<string>;
  /** Every vote that differs from the others, also second votes of one voter. */
  readonly votes: readonly Vote[];
}

/** What a vote can bring about; `polka` and `commit` are quorums for one value. */
export type Threshold =
  | { readonly kind: 'polka'; readonly round: number; readonly value: ValueId }
  | { readonly kind: 'commit'; readonly round: number; readonly value: ValueId }
  | {
      readonly kind: 'polka-any' | 'polka-nil' | 'precommit-any' | 'skip';
      readonly round: number;
    };

export interface RoundVotes {
  readonly prevotes: VoteCount;
  readonly precommits: VoteCount;
  /** Who has sent a vote of either type by itself, rather than in a certificate. */
  readonly senders: ReadonlySet<string>;
  /** By {@link thresholdKey}. */
  readonly reached: ReadonlyMap<string, Threshold>;
}

/** The votes of one height. */
export interface VoteKeeper {
  readonly height: number;
  readonly validators: ValidatorSet;
  readonly rounds: ReadonlyMap<number, RoundVotes>;
  /** Votes of one voter, type and round that differ: each time all there were. */
  readonly conflicts: ReadonlyMap<string, readonly Vote[]>;
}

interface Kept {
  readonly keeper: VoteKeeper;
  /** What the vote brought about, the first time; none means that it enables nothing. */
  readonly reached: Threshold | undefined;
}

const NO_VOTES: VoteCount = { tallies: new Map(), voters: new Set(), votes: [] };
const EMPTY_ROUND: RoundVotes = {
  prevotes: NO_VOTES,
  precommits: NO_VOTES,
  senders: new Set(),
  reached: new Map(),
};

export function createVoteKeeper(height: number, validators: ValidatorSet): VoteKeeper {
  return { height, validators, rounds: new Map(), conflicts: new Map() };
}

export function votesOf(keeper: VoteKeeper, round: number): RoundVotes {
  return keeper.rounds.get(round) ?? EMPTY_ROUND;
}

export function countOf(keeper: VoteKeeper, type: VoteType, round: number): VoteCount {
  const votes = votesOf(keeper, round);
  return type === 'prevote' ? votes.prevotes : votes.precommits;
}

/** Takes one vote in; `currentRound` tells votes of later rounds, which may make it skip there. */
export function keepVote(keeper: VoteKeeper, vote: Vote, currentRound: number): Kept {
  const { validators } = keeper;
  const before = votesOf(keeper, vote.round);
  const count = countVote(countOf(keeper, vote.type, vote.round), vote, validators);
  const senders = new Set(before.senders).add(vote.voter);
  const skips =
    vote.round > currentRound && holdsCorrect(weightOf(validators, senders), validators); // 55
  let reached: Threshold | undefined = skips
    ? { kind: 'skip', round: vote.round }
    : thresholdAfter(count, vote, validators);
  if (!skips && reached !== undefined && before.reached.has(thresholdKey(reached))) {
    reached = undefined;
  }
  const after: RoundVotes = {
    ...withCount(before, vote.type, count),
    senders,
    reached:
      reached === undefined
        ? before.reached
        : new Map(before.reached).set(thresholdKey(reached), reached),
  };
  return { keeper: withRound(keeper, after, [vote]), reached };
}

/**
 * Takes in the votes of a certificate: of one type, round and value, a quorum together. They count
 * for its value even where a voter was counted for another before: who equivocates must not keep
 * from one validator the quorum that it gave to another.
 */
export function keepCertificate(keeper: VoteKeeper, votes: readonly Vote[]): VoteKeeper {
  const { type, round } = votes[0]!;
  const before = countOf(keeper, type, round);
  const fresh = votes.filter((vote) => !before.votes.some((other) => isSameVote(other, vote)));
  const all = [...before.votes, ...fresh];
  const tallies = new Map<string, Tally>();
  for (const vote of all) addTally(tallies, vote, keeper.validators);
  const count = { tallies, voters: new Set(all.map(({ voter }) => voter)), votes: all };
  return withRound(keeper, withCount(votesOf(keeper, round), type, count), votes);
}

/** Whether a quorum has voted, for whatever. */
export function hasQuorum({ tallies }: VoteCount, validators: ValidatorSet): boolean {
  let sum = 0;
  for (const { weight } of tallies.values()) sum += weight;
  return isQuorum(sum, validators);
}

/** Whether a quorum has voted for nil. */
export function hasNilQuorum({ tallies }: VoteCount, validators: ValidatorSet): boolean {
  return isQuorum(tallies.get(choiceOf(NIL))?.weight ?? 0, validators);
}

/** The choices for the value that have a quorum: by their valid rounds, so mostly one at most. */
export function quorumsFor(
  { tallies }: VoteCount,
  value: ValueId,
  validators: ValidatorSet,
): Tally[] {
  return [...tallies.values()].filter(
    (tally) => tally.value === value && isQuorum(tally.weight, validators),
  );
}

function thresholdKey(threshold: Threshold): string {
  return 'value' in threshold ? `${threshold.kind} ${threshold.value}` : threshold.kind;
}

const NIL = { value: null, validRound: -1 } as const;

/** The name of what a vote is for. */
function choiceOf({ value, validRound }: Pick<Vote, 'value' | 'validRound'>): string {
  return value === null ? 'nil' : `${validRound} ${value}`;
}

function addTally(tallies: Map<string, Tally>, vote: Vote, validators: ValidatorSet): void {
  const { value, validRound } = vote;
  const weight = validators.weights.get(vote.voter) ?? 0;
  const choice = choiceOf(vote);
  const sum = (tallies.get(choice)?.weight ?? 0) + weight;
  tallies.set(choice, { value, validRound, weight: sum });
}

function countVote(count: VoteCount, vote: Vote, validators: ValidatorSet): VoteCount {
  const known = count.votes.some((other) => isSameVote(other, vote));
  const votes = known ? count.votes : [...count.votes, vote];
  if (count.voters.has(vote.voter)) return { ...count, votes };
  const tallies = new Map(count.tallies);
  addTally(tallies, vote, validators);
  return { tallies, voters: new Set(count.voters).add(vote.voter), votes };
}

function thresholdAfter(
  count: VoteCount,
  { type, round, value, validRound }: Vote,
  validators: ValidatorSet,
): Threshold | undefined {
  const weight = count.tallies.get(choiceOf({ value, validRound }))?.weight ?? 0;
  if (isQuorum(weight, validators)) {
    if (value !== null) return { kind: type === 'prevote' ? 'polka' : 'commit', round, value };
    return { kind: type === 'prevote' ? 'polka-nil' : 'precommit-any', round };
  }
  if (!hasQuorum(count, validators)) return undefined;
  return { kind: type === 'prevote' ? 'polka-any' : 'precommit-any', round };
}

function withCount(votes: RoundVotes, type: VoteType, count: VoteCount): RoundVotes {
  return type === 'prevote' ? { ...votes, prevotes: count } : { ...votes, precommits: count };
}

/** The keeper with the round as it is after `incoming`, and the conflicts these are part of. */
function withRound(keeper: VoteKeeper, votes: RoundVotes, incoming: readonly Vote[]): VoteKeeper {
  const { type, round } = incoming[0]!;
  const count = type === 'prevote' ? votes.prevotes : votes.precommits;
  let { conflicts } = keeper;
  if (count.votes.length > count.voters.size) {
    for (const { voter } of incoming) {
      const theirs = count.votes.filter((vote) => vote.voter === voter);
      const key = `${round} ${type} ${voter} ${theirs.length}`;
      if (theirs.length > 1 && !conflicts.has(key)) {
        conflicts = new Map(conflicts).set(key, theirs);
      }
    }
  }
  return { ...keeper, rounds: new Map(keeper.rounds).set(round, votes), conflicts };
}
