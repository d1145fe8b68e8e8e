import { err, type Failure, ok, type Result } from '../basics/result.ts';
import { type Digest, digestOfPlain } from '../identity/digest.ts';
import type { KeyId } from '../identity/keys.ts';
import { type VerifySignature, verifyPortably } from '../identity/signature.ts';
import {
  type Block,
  type BlockHeader,
  blockHash,
  decodeBlock,
  isSignedBy,
  recordsDigest,
} from './block.ts';
import {
  applyRecord,
  type LedgerState,
  type RecordRejection,
  stateAtGenesis,
} from './contract-rules.ts';
import { decodeGenesis, type Genesis } from './genesis.ts';
import type { LedgerRecord } from './record.ts';

export interface Head {
  /** 0 at the genesis. */
  readonly height: number;
  /** Hash of the newest header, or of the genesis: it stands for all that came before. */
  readonly hash: Digest;
  readonly timeMs: number;
}

/** A chain as far as it has been checked. */
export interface Chain {
  readonly chainId: string;
  readonly head: Head;
  readonly state: LedgerState;
}

/** Why bytes are not the chain they are held to be, and at which height. */
export type ChainFailure = Failure<
  | 'genesis-malformed'
  | 'block-malformed'
  | 'wrong-height'
  | 'wrong-previous'
  | 'time-went-back'
  | 'wrong-records'
  | 'unknown-proposer'
  | 'wrong-signature'
  | 'record-rejected'
> & { readonly height: number };

/** A genesis and the blocks after it, in order, as stored or received. */
interface EncodedChain {
  readonly genesis: Uint8Array;
  readonly blocks: Iterable<Uint8Array>;
}

/** A record that the contract rules refuse, by its place in the list. */
export type RejectedRecord = RecordRejection & { readonly index: number };

export function chainAtGenesis(genesis: Genesis): Chain {
  const head = { height: 0, hash: digestOfPlain(genesis), timeMs: genesis.timeMs };
  return { chainId: genesis.chainId, head, state: stateAtGenesis(genesis) };
}

/**
 * The header that carries `records` on from the head, for its proposer to sign, and the chain once
 * it is committed. A clock that was set back does not show: no block is older than the one before.
 */
export function nextBlock(
  chain: Chain,
  records: readonly LedgerRecord[],
  { timeMs, proposer }: { timeMs: number; proposer: KeyId },
): Result<{ header: BlockHeader; chain: Chain }, RejectedRecord> {
  const { head, state } = chain;
  const applied = applyRecords(state, records);
  if (!applied.ok) return applied;
  const header: BlockHeader = {
    v: 1,
    height: head.height + 1,
    previous: head.hash,
    timeMs: Math.max(timeMs, head.timeMs),
    records: recordsDigest(records),
    proposer,
  };
  return ok({ header, chain: { ...chain, head: headAt(header), state: applied.value } });
}

/** The chain with one more block, or what is wrong with the block. */
function extendChain(
  chain: Chain,
  block: Block,
  verifySignature: VerifySignature,
): Result<Chain, ChainFailure> {
  const { header, records } = block;
  const { head, state } = chain;
  const height = head.height + 1;
  const refuse = (code: ChainFailure['code'], message: string) => err({ code, message, height });

  if (header.height !== height) {
    return refuse('wrong-height', `a block of height ${header.height} stands at ${height}`);
  }
  if (header.previous !== head.hash) {
    return refuse('wrong-previous', `block ${height} does not follow on what is before it`);
  }
  if (header.timeMs < head.timeMs) {
    return refuse('time-went-back', `block ${height} is older than what is before it`);
  }
  if (header.records !== recordsDigest(records)) {
    return refuse('wrong-records', `block ${height} holds other records than its header names`);
  }
  const publicKey = state.validators.get(header.proposer);
  if (publicKey === undefined) {
    return refuse('unknown-proposer', `block ${height} is signed by a key that is no validator`);
  }
  if (!isSignedBy(block, publicKey, verifySignature)) {
    return refuse('wrong-signature', `block ${height} does not carry its proposer's signature`);
  }
  const applied = applyRecords(state, records);
  if (!applied.ok) {
    const { index, code, message } = applied.error;
    return refuse('record-rejected', `block ${height}, record ${index}: ${code}: ${message}`);
  }
  return ok({ ...chain, head: headAt(header), state: applied.value });
}

/**
 * Re-checks a chain from its genesis: encodings, heights, previous hashes, times, records,
 * signatures, contract rules. What it cannot see is that newer blocks were cut off at the end:
 * compare the head with one known from elsewhere.
 */
export function verifyChain(
  { genesis, blocks }: EncodedChain,
  verifySignature: VerifySignature = verifyPortably,
): Result<Chain, ChainFailure> {
  const start = decodeGenesis(genesis);
  if (!start.ok) return err({ ...start.error, height: 0 });
  let chain = chainAtGenesis(start.value);
  for (const bytes of blocks) {
    const block = decodeBlock(bytes);
    if (!block.ok) return err({ ...block.error, height: chain.head.height + 1 });
    const extended = extendChain(chain, block.value, verifySignature);
    if (!extended.ok) return extended;
    chain = extended.value;
  }
  return ok(chain);
}

function applyRecords(
  state: LedgerState,
  records: readonly LedgerRecord[],
): Result<LedgerState, RejectedRecord> {
  let next = state;
  for (const [index, record] of records.entries()) {
    const applied = applyRecord(next, record);
    if (!applied.ok) return err({ ...applied.error, index });
    next = applied.value;
  }
  return ok(next);
}

function headAt(header: BlockHeader): Head {
  return { height: header.height, hash: blockHash(header), timeMs: header.timeMs };
}
