import { assert } from '#shared/basics/assert.ts';
import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import type { LogHash } from '#shared/ledger/log/merkle-log.ts';
import { inclusionProof } from '#shared/ledger/log/merkle-proof.ts';
import { encodeProof } from '#shared/ledger/log/tlog-proof.ts';

/** The log as a node keeps it, running or in its file. */
export interface ProvableLog {
  logNode(level: number, index: number): LogHash | undefined;
  logEntry(index: number): Uint8Array | undefined;
  /** The newest head that a quorum has cosigned, as `encodeNote` wrote it. */
  newestCheckpoint(): { readonly size: number; readonly note: string } | undefined;
}

export type RecordProofFailure = Failure<'record-unknown' | 'checkpoint-behind'>;

/** The C2SP tlog-proof of the log's entry `index` against its newest checkpoint. */
export function proveRecord(log: ProvableLog, index: number): Result<string, RecordProofFailure> {
  const entry = log.logEntry(index);
  if (entry === undefined) {
    return fail('record-unknown', `the ledger has no record ${index}; is it committed here?`);
  }
  const checkpoint = log.newestCheckpoint();
  if (checkpoint === undefined || checkpoint.size <= index) {
    return fail(
      'checkpoint-behind',
      `no checkpoint with a quorum reaches record ${index} yet; ask again in a moment`,
    );
  }
  const { size, note } = checkpoint;
  const path = inclusionProof(index, size, (level, node) => {
    const hash = log.logNode(level, node);
    assert(hash !== undefined, `the log's node ${node} at level ${level} is stored`);
    return hash;
  });
  return ok(encodeProof({ entry, index, path, note }));
}
