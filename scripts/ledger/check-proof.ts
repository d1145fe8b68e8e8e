import { closeSync, openSync, readSync } from 'node:fs';
import { verifyRawNatively } from '#runtime/identity/native-verification.ts';
import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import { bytesToHex } from '#shared/basics/bytes.ts';
import { decodeCbor } from '#shared/codec/canonical.ts';
import { type VerifiedRecord, verifyProof } from '#shared/ledger/light-verifier.ts';
import { withoutControls } from '#shared/ledger/log/note-key.ts';
import { POLICY_SIZE_BYTES_MAX } from '#shared/ledger/log/tlog-policy.ts';
import { PROOF_SIZE_BYTES_MAX } from '#shared/ledger/log/tlog-proof.ts';

/**
 * `diten ledger check`: prints the record that the proof holds, and `ok`.
 *
 * Errors: the light verifier's code (exit 1); `file-unreadable` (exit 2).
 */
export function runCheckProof(proofFile: string, policyFile: string): void {
  const policy = readAtMost(policyFile, POLICY_SIZE_BYTES_MAX);
  const proof = readAtMost(proofFile, PROOF_SIZE_BYTES_MAX);
  // Bytes of a policy may be no UTF-8 (names and comments are opaque); those of a note must be.
  const verified = verifyProof(toText(proof, true), toText(policy, false), verifyRawNatively);
  if (!verified.ok) throw new ProgramError(verified.error.code, verified.error.message);
  for (const line of describe(verified.value)) console.log(withoutControls(line));
  console.log('ok');
}

function* describe({ entry, ...place }: VerifiedRecord): Generator<string> {
  yield `record ${place.index} of ${place.size} in ${place.origin}`;
  yield `root ${bytesToHex(place.root)}`;
  yield `height ${entry.height}, transaction ${entry.index} of its block`;
  yield entry.outcome === 'accepted' ? 'accepted' : `rejected, without effect: ${entry.outcome}`;
  if (place.timeMs === undefined) {
    yield 'cosigned by nobody: the policy asks for none';
  } else {
    yield `cosigned by ${place.cosigners.join(', ')}`;
    // The format knows seconds beyond what a date can be.
    const date = new Date(place.timeMs);
    const isDate = !Number.isNaN(date.getTime());
    yield `by a quorum since ${isDate ? date.toISOString() : `${place.timeMs} ms`}`;
  }
  const transaction = decodeCbor(entry.transaction);
  if (transaction.ok) yield JSON.stringify(transaction.value, plainly, 2);
  else yield `a transaction that is ${transaction.error.message}`;
}

/** Bytes as hex. */
function plainly(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? bytesToHex(value) : value;
}

/** A byte more than `sizeBytesMax` shows what is too large; endless files end there. */
function readAtMost(file: string, sizeBytesMax: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytesMax + 1);
  let size = 0;
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    for (let read = -1; read !== 0 && size < bytes.length; size += read) {
      read = readSync(descriptor, bytes, size, bytes.length - size, null);
    }
  } catch (cause) {
    const message = `cannot read ${file}: ${(cause as Error).message}; name a readable file`;
    throw new ProgramError('file-unreadable', message, { exit: exitCode.usage, cause });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
  return bytes.subarray(0, size);
}

function toText(bytes: Uint8Array, fatal: boolean): string {
  try {
    return new TextDecoder('utf-8', { fatal, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    const message = 'the proof is not UTF-8; it was damaged, or is another kind of file';
    throw new ProgramError('proof-malformed', message, { cause });
  }
}
