import { type Digest, digestOfPlain, type Sha256 } from '../identity/digest.ts';
import { membershipWrites } from './contract/membership.ts';
import type { StateWrites } from './contract/state.ts';
import type { Genesis } from './genesis.ts';
import { emptyLog, type LogFrontier } from './log/merkle-log.ts';
import { type Roster, rosterOf } from './roster.ts';

export interface Head {
  /** 0 at the genesis. */
  readonly height: number;
  /** Hash of the newest header, or of the genesis: it stands for all that came before. */
  readonly hash: Digest;
  readonly timeMs: number;
}

/** A chain as far as it has been decided, beside the state that its transactions add up to. */
export interface ChainState {
  readonly chainId: string;
  readonly clockToleranceMs: number;
  readonly genesis: Digest;
  readonly head: Head;
  /** Who decides the next block. */
  readonly roster: Roster;
  /** Who decides the block after that: what a block changes takes effect two heights on. */
  readonly nextRoster: Roster;
  readonly stateDigest: Digest;
  readonly log: LogFrontier;
}

/** The chain before its first block; `writes` make its state out of none. */
export function chainStateAtGenesis(genesis: Genesis): {
  readonly chain: ChainState;
  readonly writes: StateWrites;
} {
  const { chainId, clockToleranceMs, timeMs, validators, operators } = genesis;
  const digest = digestOfPlain(genesis);
  const writes = membershipWrites(validators, operators);
  const roster = rosterOf(validators);
  const chain: ChainState = {
    chainId,
    clockToleranceMs,
    genesis: digest,
    head: { height: 0, hash: digest, timeMs },
    roster,
    nextRoster: roster,
    stateDigest: stateDigestAfter(digest, writes),
    log: emptyLog,
  };
  return { chain, writes };
}

/**
 * The digest of the state after some changes: of the digest before, and of each change's key and
 * value's digest in the order of the keys. A chain of changes rather than a tree over the state:
 * two nodes agree on it exactly if all their writes did, at the price of the changes alone.
 */
export function stateDigestAfter(previous: Digest, writes: StateWrites, sha256?: Sha256): Digest {
  const changes = [...writes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => [key, value === undefined ? null : digestOfPlain(value, sha256)]);
  return digestOfPlain([previous, changes], sha256);
}
