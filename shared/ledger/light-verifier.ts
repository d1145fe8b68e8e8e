import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import { type VerifyRaw, verifyRawPortably } from '../identity/signature.ts';
import { decodeCheckpoint } from './log/checkpoint.ts';
import { type LogHash, leafHash } from './log/merkle-log.ts';
import { isIncluded } from './log/merkle-proof.ts';
import { decodeNote } from './log/signed-note.ts';
import { decodePolicy, type PolicyFailure } from './log/tlog-policy.ts';
import { decodeProof, type ProofFailure } from './log/tlog-proof.ts';
import {
  type TrustedCheckpoint,
  type TrustFailure,
  trustCheckpoint,
} from './log/trusted-checkpoint.ts';
import { decodeLogEntry, type LogEntry } from './log-entry.ts';

export interface VerifiedRecord extends Pick<TrustedCheckpoint, 'cosigners' | 'timeMs'> {
  readonly entry: LogEntry;
  /** The entry's place in the log, from 0. */
  readonly index: number;
  readonly origin: string;
  /** Of the log at the checkpoint. */
  readonly size: number;
  readonly root: LogHash;
}

export type LightFailure =
  | PolicyFailure
  | ProofFailure
  | TrustFailure
  | Failure<'note-malformed' | 'entry-malformed' | 'not-included'>;

/**
 * Verifies offline that a chain's log holds a record: the proof is a file that `encodeProof` wrote,
 * the policy one of `policyOf` or any of c2sp.org/tlog-policy. Never throws, whatever the texts.
 * Signatures are verified in portable code unless `verify` is given, which comes to the same.
 */
export function verifyProof(
  proofText: string,
  policyText: string,
  verify: VerifyRaw = verifyRawPortably,
): Result<VerifiedRecord, LightFailure> {
  const policy = decodePolicy(policyText);
  if (!policy.ok) return policy;
  const proof = decodeProof(proofText);
  if (!proof.ok) return proof;
  const { index, path } = proof.value;
  const note = decodeNote(proof.value.note);
  if (!note.ok) return note;
  const checkpoint = decodeCheckpoint(note.value.text);
  if (!checkpoint.ok) return checkpoint;
  // Signatures cost a hundred times as much as hashes, so they come last.
  const { origin, size, root } = checkpoint.value;
  if (!isIncluded({ index, size, leaf: leafHash(proof.value.entry), path, root })) {
    const message = `the hashes do not lead from entry ${index} to the root of ${size} entries`;
    return fail('not-included', `${message}; the file was changed, or is of another log`);
  }
  const entry = decodeLogEntry(proof.value.entry);
  if (!entry.ok) return entry;
  const trusted = trustCheckpoint(note.value, policy.value, verify);
  if (!trusted.ok) return trusted;
  const { cosigners, timeMs } = trusted.value;
  return ok({ entry: entry.value, index, origin, size, root, cosigners, timeMs });
}
