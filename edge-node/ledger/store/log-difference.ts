import { bytesEqual } from '#shared/basics/bytes.ts';
import type { Failure } from '#shared/basics/result.ts';
import { verifyRawPortably } from '#shared/identity/signature.ts';
import type { ChainState } from '#shared/ledger/chain-state.ts';
import { policyOf } from '#shared/ledger/log/chain-policy.ts';
import { decodeCheckpoint, originOf } from '#shared/ledger/log/checkpoint.ts';
import {
  appendLeaf,
  emptyLog,
  type LogFrontier,
  type LogHash,
  leafHash,
  rootOf,
} from '#shared/ledger/log/merkle-log.ts';
import { decodeNote } from '#shared/ledger/log/signed-note.ts';
import { decodePolicy } from '#shared/ledger/log/tlog-policy.ts';
import { trustCheckpoint } from '#shared/ledger/log/trusted-checkpoint.ts';
import { encodeLogEntry } from '#shared/ledger/log-entry.ts';
import type { RecordedBlock } from './ledger-file.ts';

/** What a file holds of the transparency log, beside the blocks that it follows from. */
export interface StoredLog {
  readonly nodes: number;
  logNode(level: number, index: number): LogHash | undefined;
  blocks(): Iterable<RecordedBlock>;
  transaction(
    digest: string,
  ): { readonly height: number; readonly index: number; readonly logIndex: number } | undefined;
  newestCheckpoint():
    | { readonly size: number; readonly height: number; readonly note: string }
    | undefined;
}

/**
 * The first thing that a file has otherwise in its log, its index or its checkpoint than its
 * verified blocks have it; `chain` is what these came to.
 */
export function logDifference(stored: StoredLog, chain: ChainState): Failure | undefined {
  const checkpoint = stored.newestCheckpoint();
  let log: LogFrontier = emptyLog;
  let nodes = 0;
  let checkpointRoot: LogHash | undefined;
  let checkpointRoster = '';
  for (const { block, outcomes } of stored.blocks()) {
    const { height, nextValidators } = block.header;
    if (height === checkpoint?.height) checkpointRoster = nextValidators;
    for (const [index, { digest, bytes: transaction }] of block.transactions.entries()) {
      const place = stored.transaction(digest);
      if (place?.height !== height || place.index !== index || place.logIndex !== log.size) {
        return differs('index-differs', `the index has transaction ${digest} elsewhere`);
      }
      const outcome = outcomes[index]!;
      const entry = encodeLogEntry({ v: 1, height, index, outcome, transaction });
      const appended = appendLeaf(log, leafHash(entry));
      for (const { level, index: at, hash } of appended.nodes) {
        const kept = stored.logNode(level, at);
        if (kept === undefined || !bytesEqual(kept, hash)) {
          return differs('log-differs', `the log has another node ${at} at level ${level}`);
        }
      }
      log = appended.frontier;
      nodes += appended.nodes.length;
      if (log.size === checkpoint?.size) checkpointRoot = rootOf(log);
    }
  }
  if (!bytesEqual(rootOf(log), rootOf(chain.log))) {
    return differs('log-differs', 'the outcomes in the index do not lead to the root of the log');
  }
  if (nodes !== stored.nodes) {
    return differs('log-differs', `the log has ${stored.nodes} nodes rather than ${nodes}`);
  }
  if (checkpoint === undefined) return undefined;
  const isOfRoster = checkpointRoster === chain.roster.digest;
  return checkpointDifference(checkpoint.note, { chain, root: checkpointRoot, isOfRoster });
}

/** `isOfRoster`: whether the present validators are those whose quorum had cosigned it. */
function checkpointDifference(
  text: string,
  expected: { chain: ChainState; root: LogHash | undefined; isOfRoster: boolean },
): Failure | undefined {
  const { chain, root, isOfRoster } = expected;
  const note = decodeNote(text);
  if (!note.ok) return note.error;
  const decoded = decodeCheckpoint(note.value.text);
  if (!decoded.ok) return decoded.error;
  const { origin, root: signed } = decoded.value;
  if (origin !== originOf(chain.chainId) || root === undefined || !bytesEqual(signed, root)) {
    return differs('checkpoint-differs', 'the checkpoint is of another log');
  }
  const policy = decodePolicy(policyOf(chain.chainId, chain.roster));
  if (!policy.ok) return policy.error;
  const trusted = trustCheckpoint(note.value, policy.value, verifyRawPortably);
  return trusted.ok || !isOfRoster ? undefined : trusted.error;
}

function differs(code: string, message: string): Failure {
  return { code, message };
}
