import { err, type Failure, fail, ok, type Result } from '../basics/result.ts';
import type { Plain } from '../codec/canonical.ts';
import { ed25519Of, type VerifyAccount } from '../identity/account-key.ts';
import { blockHash, decodeBlock } from './block.ts';
import { type ChainState, chainStateAtGenesis } from './chain-state.ts';
import { decodeCommit } from './commit-codec.ts';
import { type Commit, checkCertificate } from './consensus/certificate.ts';
import { createSignatureCheck } from './consensus/message-signature.ts';
import type { StateView } from './contract/state.ts';
import { executeBlock, type StagedBlock } from './execute-block.ts';
import { decodeGenesis } from './genesis.ts';

/** A block and the votes that decided it, as stored or received. */
export interface DecidedBlock {
  readonly block: Uint8Array;
  readonly commit: Uint8Array;
}

/** A genesis and the blocks after it, in order. */
export interface EncodedChain {
  readonly genesis: Uint8Array;
  readonly blocks: Iterable<DecidedBlock>;
}

/** Why bytes are not the chain they are held to be, and at which height (0: the genesis). */
export type ChainFailure = Failure & { readonly height: number };

/** What a chain came to that was executed from its genesis. */
export interface VerifiedChain {
  readonly chain: ChainState;
  /** All keys with their values, to be compared with a node's own. */
  readonly state: ReadonlyMap<string, Plain>;
  readonly transactions: number;
  /** How many of them were recorded without effect. */
  readonly rejected: number;
}

/**
 * Re-checks a chain from its genesis with nothing but the verification of signatures: encodings,
 * hashes, commit certificates, every transaction, the state and the log. What it cannot see is that
 * newer blocks were cut off at the end: compare the head with one known from elsewhere.
 */
export function verifyChain(
  { genesis: bytes, blocks }: EncodedChain,
  verify: VerifyAccount,
): Result<VerifiedChain, ChainFailure> {
  const genesis = decodeGenesis(bytes);
  if (!genesis.ok) return err({ ...genesis.error, height: 0 });
  const { chain: first, writes } = chainStateAtGenesis(genesis.value);
  const state = new Map<string, Plain>();
  write(state, writes);
  let chain = first;
  let transactions = 0;
  let rejected = 0;
  for (const decided of blocks) {
    const staged = verifyDecided(chain, state, decided, verify);
    if (!staged.ok) return err({ ...staged.error, height: chain.head.height + 1 });
    const { outcomes } = staged.value;
    transactions += outcomes.length;
    rejected += outcomes.filter((outcome) => outcome !== 'accepted').length;
    write(state, staged.value.writes);
    chain = staged.value.chain;
  }
  return ok({ chain, state, transactions, rejected });
}

/** First the votes, then what they decided: nothing is executed that was never decided. */
function verifyDecided(
  chain: ChainState,
  view: StateView,
  decided: DecidedBlock,
  verify: VerifyAccount,
): Result<StagedBlock, Failure> {
  const commit = decodeCommit(decided.commit);
  if (!commit.ok) return commit;
  const checked = checkCommit(chain, commit.value, verify);
  if (!checked.ok) return checked;
  const decoded = decodeBlock(decided.block);
  if (!decoded.ok) return decoded;
  const { value: block } = decoded;
  if (commit.value.value !== blockHash(block.header)) {
    return fail('wrong-commit', 'the commit is of another block');
  }
  return executeBlock(chain, view, block, { verify });
}

/** Whether the votes decide a value at the chain's next height; which one, is not looked at. */
function checkCommit(
  { chainId, head, roster }: ChainState,
  commit: Commit,
  verify: VerifyAccount,
): Result<undefined, Failure> {
  if (commit.height !== head.height + 1) {
    return fail('wrong-commit', `the commit is of height ${commit.height}`);
  }
  const { vote } = createSignatureCheck(chainId, roster.keys, ed25519Of(verify));
  return checkCertificate(commit, roster.validators, vote);
}

function write(state: Map<string, Plain>, writes: ReadonlyMap<string, Plain | undefined>): void {
  for (const [key, value] of writes) {
    if (value === undefined) state.delete(key);
    else state.set(key, value);
  }
}
