import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import type { ChainState } from '#shared/ledger/chain-state.ts';
import { canonicalCommit, decodeCommit } from '#shared/ledger/commit-codec.ts';
import { type Commit, checkCertificate } from '#shared/ledger/consensus/certificate.ts';
import type { Vote } from '#shared/ledger/consensus/vote.ts';
import type { StagedBlock } from '#shared/ledger/execute-block.ts';
import type { ProposedBlocks } from './proposed-blocks.ts';

/** What the others decided at the height under way, encoded. */
export interface EncodedDecision {
  readonly block: Uint8Array;
  readonly commit: Uint8Array;
}

/**
 * First the votes, then what they decided, so that nobody has this node execute what was never
 * decided. An error says that the two are no decision of the next height; throws where this node
 * comes to another result than the quorum that decided.
 */
export function checkDecided(
  { block, commit: bytes }: EncodedDecision,
  chain: ChainState,
  { blocks, isSigned }: { blocks: ProposedBlocks; isSigned: (vote: Vote) => boolean },
): Result<{ readonly staged: StagedBlock; readonly commit: Commit }, Failure> {
  const decoded = decodeCommit(bytes);
  if (!decoded.ok) return decoded;
  const { value: commit } = decoded;
  if (commit.height !== chain.head.height + 1) {
    return fail('wrong-height', `the commit is of height ${commit.height}, not of the next`);
  }
  const checked = checkCertificate(commit, chain.roster.validators, isSigned);
  if (!checked.ok) return checked;
  const taken = blocks.take(commit.value, block);
  if (!taken.ok) return taken;
  const verdict = blocks.judge(commit.value);
  if (!verdict.ok) {
    const { code, message } = verdict.error;
    throw new Error(`a quorum decided what is wrong here (${code}: ${message})`);
  }
  return ok({ staged: verdict.value, commit: canonicalCommit(commit, isSigned) });
}
