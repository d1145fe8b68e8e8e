import { bytesToHex } from '../basics/bytes.ts';
import { err, type Failure, ok, type Result } from '../basics/result.ts';
import type { VerifyAccount } from '../identity/account-key.ts';
import type { Digest, Sha256 } from '../identity/digest.ts';
import type { KeyId } from '../identity/keys.ts';
import {
  applyTransaction,
  type NotIncludable,
  type SignatureVerification,
} from './apply-transaction.ts';
import {
  BLOCK_SIZE_BYTES_MAX,
  BLOCK_TRANSACTIONS_MAX,
  type Block,
  type BlockHeader,
  blockHash,
  transactionsDigest,
} from './block.ts';
import { type ChainState, stateDigestAfter } from './chain-state.ts';
import { membersOf } from './contract/membership.ts';
import type { Outcome } from './contract/rule.ts';
import { createOverlay, type Overlay, type StateView, type StateWrites } from './contract/state.ts';
import { appendLeaf, type LogNode, leafHash, rootOf } from './log/merkle-log.ts';
import { encodeLogEntry } from './log-entry.ts';
import { rosterOf } from './roster.ts';
import type { EncodedTransaction } from './transaction.ts';

/** A block with all that follows from it, to be kept together once it is decided. */
export interface StagedBlock {
  readonly block: Block;
  readonly hash: Digest;
  /** The chain with this block as its head. */
  readonly chain: ChainState;
  /** What it changes of the state. */
  readonly writes: StateWrites;
  /** What it appends to the log, one entry a transaction, and the subtrees these complete. */
  readonly entries: readonly Uint8Array[];
  readonly logNodes: readonly LogNode[];
  readonly outcomes: readonly Outcome[];
}

/** What a block is made of; `transactions` in the order in which they are to be tried. */
export interface BlockDraft {
  readonly transactions: Iterable<EncodedTransaction>;
  /** Moved on to the first millisecond after the head where it is not beyond. */
  readonly timeMs: number;
  readonly proposer: KeyId;
  /** For signatures inside bodies; those of the transactions themselves were checked. */
  readonly verify: VerifyAccount;
  readonly sha256?: Sha256;
}

/** What checks and hashes: `sha256` is portable code unless given. */
export interface ExecutionOptions extends SignatureVerification {
  readonly sha256?: Sha256;
}

/** A transaction that fits in no block, and why. */
export type DroppedTransaction = NotIncludable & { readonly digest: Digest };

/** Why a block does not go on from a chain's head. */
export type BlockFailure = Failure<
  | 'wrong-chain'
  | 'wrong-height'
  | 'wrong-previous'
  | 'time-not-after'
  | 'unknown-proposer'
  | 'wrong-validators'
  | 'wrong-transactions'
  | 'transaction-not-includable'
  | 'wrong-state'
  | 'wrong-log'
>;

/** Takes transactions one by one, as the next of a block. */
interface Execution {
  readonly state: Overlay;
  readonly outcomes: Outcome[];
  readonly entries: Uint8Array[];
  apply(transaction: EncodedTransaction): Result<Outcome, NotIncludable>;
}

/**
 * Fills a block up to its limits. Transactions are taken to be signed by who they say, as admission
 * checked; what fits in no block is told in `dropped`, what is beyond the limits is not.
 */
export function stageBlock(
  chain: ChainState,
  view: StateView,
  draft: BlockDraft,
): { staged: StagedBlock; dropped: DroppedTransaction[] } {
  const { proposer, verify } = draft;
  const verification = { verify, isVerified: () => true };
  const timeMs = Math.max(draft.timeMs, chain.head.timeMs + 1);
  const execution = startExecution(chain, view, { timeMs, verification });
  const transactions: EncodedTransaction[] = [];
  const dropped: DroppedTransaction[] = [];
  let sizeBytes = HEADER_SIZE_BYTES_MAX;
  for (const transaction of draft.transactions) {
    if (transactions.length === BLOCK_TRANSACTIONS_MAX) break;
    sizeBytes += transaction.bytes.length + LENGTH_SIZE_BYTES_MAX;
    if (sizeBytes > BLOCK_SIZE_BYTES_MAX) break;
    const applied = execution.apply(transaction);
    if (applied.ok) transactions.push(transaction);
    else {
      sizeBytes -= transaction.bytes.length + LENGTH_SIZE_BYTES_MAX;
      dropped.push({ ...applied.error, digest: transaction.digest });
    }
  }
  const staged = conclude(chain, execution, {
    ...{ transactions, timeMs, proposer },
    sha256: draft.sha256,
  });
  return { staged, dropped };
}

/**
 * The block with all that follows from it, or the first reason to refuse it: the header must tell
 * of the block's own effects. That its proposer's turn it was, and its time is about now, is for
 * consensus to say.
 */
export function executeBlock(
  chain: ChainState,
  view: StateView,
  block: Block,
  options: ExecutionOptions,
): Result<StagedBlock, BlockFailure> {
  const { header, transactions } = block;
  const { sha256, ...verification } = options;
  const { timeMs, proposer } = header;
  const misplaced = checkPlace(chain, header);
  if (misplaced !== undefined) return misplaced;
  if (header.transactions !== transactionsDigest(transactions, sha256)) {
    return refuse(header, 'wrong-transactions', 'holds other transactions than its header names');
  }
  const execution = startExecution(chain, view, { timeMs, verification });
  for (const [index, transaction] of transactions.entries()) {
    const applied = execution.apply(transaction);
    if (applied.ok) continue;
    const { code, message } = applied.error;
    return refuse(
      header,
      'transaction-not-includable',
      `transaction ${index}: ${code}: ${message}`,
    );
  }
  const staged = conclude(chain, execution, { transactions, timeMs, proposer, sha256 });
  const { state, logSize, logRoot } = staged.block.header;
  if (header.state !== state) {
    return refuse(header, 'wrong-state', `names state ${header.state}, its execution ${state}`);
  }
  if (header.logSize !== logSize || header.logRoot !== logRoot) {
    return refuse(header, 'wrong-log', `names another log than its execution: ${logRoot}`);
  }
  return ok(staged);
}

/** More than a header and the frame around it take, with a chain id of 64 characters. */
const HEADER_SIZE_BYTES_MAX = 1024;
/** What canonical CBOR puts before a byte string of up to 32 KiB. */
const LENGTH_SIZE_BYTES_MAX = 3;

function checkPlace(
  { chainId, head, roster, nextRoster }: ChainState,
  header: BlockHeader,
): Result<never, BlockFailure> | undefined {
  if (header.chainId !== chainId) {
    return refuse(header, 'wrong-chain', `is of chain "${header.chainId}", not "${chainId}"`);
  }
  if (header.height !== head.height + 1) {
    return refuse(header, 'wrong-height', `stands where ${head.height + 1} is due`);
  }
  if (header.previous !== head.hash) {
    return refuse(header, 'wrong-previous', 'does not follow on what is before it');
  }
  if (header.timeMs <= head.timeMs) {
    return refuse(header, 'time-not-after', 'is no later than what is before it');
  }
  if (!roster.keys.has(header.proposer)) {
    return refuse(header, 'unknown-proposer', 'is proposed by who has no vote at its height');
  }
  if (header.validators !== roster.digest || header.nextValidators !== nextRoster.digest) {
    return refuse(header, 'wrong-validators', 'names other validators than those of its height');
  }
  return undefined;
}

function refuse(
  { height }: BlockHeader,
  code: BlockFailure['code'],
  what: string,
): Result<never, BlockFailure> {
  return err({ code, message: `block ${height} ${what}` });
}

function startExecution(
  { chainId, head }: ChainState,
  view: StateView,
  { timeMs, verification }: { timeMs: number; verification: SignatureVerification },
): Execution {
  const height = head.height + 1;
  const context = { chainId, height, timeMs, ...verification };
  const state = createOverlay(view);
  const outcomes: Outcome[] = [];
  const entries: Uint8Array[] = [];
  return {
    ...{ state, outcomes, entries },
    apply(encoded) {
      const applied = applyTransaction(state, encoded, context);
      if (!applied.ok) return applied;
      const { outcome, writes } = applied.value;
      state.write(writes);
      const { bytes: transaction } = encoded;
      entries.push(encodeLogEntry({ v: 1, height, index: outcomes.length, outcome, transaction }));
      outcomes.push(outcome);
      return ok(outcome);
    },
  };
}

/** The block of what was executed, and the chain after it. */
function conclude(
  chain: ChainState,
  { state, outcomes, entries }: Execution,
  {
    transactions,
    timeMs,
    proposer,
    sha256,
  }: Pick<BlockHeader, 'timeMs' | 'proposer'> & {
    readonly transactions: readonly EncodedTransaction[];
    readonly sha256: Sha256 | undefined;
  },
): StagedBlock {
  let { log } = chain;
  const logNodes: LogNode[] = [];
  for (const entry of entries) {
    const { frontier, nodes } = appendLeaf(log, leafHash(entry, sha256));
    log = frontier;
    logNodes.push(...nodes);
  }
  const { writes } = state;
  const stateDigest = stateDigestAfter(chain.stateDigest, writes, sha256);
  const height = chain.head.height + 1;
  const header: BlockHeader = {
    v: 1,
    chainId: chain.chainId,
    height,
    previous: chain.head.hash,
    timeMs,
    transactions: transactionsDigest(transactions, sha256),
    state: stateDigest,
    logSize: log.size,
    logRoot: bytesToHex(rootOf(log)) as Digest,
    validators: chain.roster.digest,
    nextValidators: chain.nextRoster.digest,
    proposer,
  };
  const hash = blockHash(header);
  const isChanged = [...writes.keys()].some((key) => key.startsWith('validator/'));
  const next: ChainState = {
    ...chain,
    head: { height, hash, timeMs },
    roster: chain.nextRoster,
    nextRoster: isChanged ? rosterOf(membersOf(state)) : chain.nextRoster,
    stateDigest,
    log,
  };
  const block = { header, transactions };
  return { block, hash, chain: next, writes, entries, logNodes, outcomes };
}
