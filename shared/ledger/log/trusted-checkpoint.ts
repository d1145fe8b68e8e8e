import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import type { VerifyRaw } from '../../identity/signature.ts';
import {
  type Checkpoint,
  cosignatureTimeMs,
  decodeCheckpoint,
  isLogSignature,
} from './checkpoint.ts';
import { type NoteKey, shown } from './note-key.ts';
import { isSignedAs, type SignedNote } from './signed-note.ts';
import { meetsQuorum, type TlogPolicy } from './tlog-policy.ts';

export interface TrustedCheckpoint {
  readonly checkpoint: Checkpoint;
  /** Names of the cosigners' keys whose signatures verify, as the policy orders them. */
  readonly cosigners: readonly string[];
  /**
   * When the quorum was complete, by the cosigners' clocks; `undefined` where the policy asks for
   * no cosigner and there is none. One of the quorum being correct, the checkpoint existed by then.
   */
  readonly timeMs: number | undefined;
}

export type TrustFailure = Failure<
  'checkpoint-malformed' | 'log-unknown' | 'signature-wrong' | 'quorum-missing'
>;

/**
 * Opens a checkpoint that one of the policy's logs signed and enough of its witnesses cosigned.
 * Signatures of unknown keys are passed over; a wrong one of a known key condemns the note
 * (c2sp.org/signed-note, "Signatures"; c2sp.org/tlog-proof, "Verifying a tlog proof").
 */
export function trustCheckpoint(
  note: SignedNote,
  policy: TlogPolicy,
  verify: VerifyRaw,
): Result<TrustedCheckpoint, TrustFailure> {
  const decoded = decodeCheckpoint(note.text);
  if (!decoded.ok) return decoded;
  const checkpoint = decoded.value;
  const logs = policy.logs.filter(({ name }) => name === checkpoint.origin);
  const isOfLog = logs.some((key) => note.signatures.some((one) => isSignedAs(one, key)));
  if (!isOfLog) return unknownLog(checkpoint);
  let isSignedByLog = false;
  const timesMs = new Map<NoteKey, number>();
  for (const signature of note.signatures) {
    // Ids are short enough to be made to collide, and who does so must not lock out the other.
    const named = [...logs, ...policy.witnesses].filter((key) => isSignedAs(signature, key));
    const isSound = named.some((key) => {
      if (key.role === 'log') {
        const isSigned = isLogSignature(note.text, key, signature, verify);
        isSignedByLog ||= isSigned;
        return isSigned;
      }
      const timeMs = cosignatureTimeMs(note.text, key, signature, verify);
      if (timeMs === undefined) return false;
      timesMs.set(key, Math.min(timeMs, timesMs.get(key) ?? timeMs));
      return true;
    });
    if (named.length > 0 && !isSound) return wrongSignature(named[0]!);
  }
  // What looked like the log's signature may be that of a cosigner by the same name and id.
  return isSignedByLog ? withQuorum(checkpoint, policy, timesMs) : unknownLog(checkpoint);
}

function withQuorum(
  checkpoint: Checkpoint,
  { quorum, witnesses }: TlogPolicy,
  timesMs: ReadonlyMap<NoteKey, number>,
): Result<TrustedCheckpoint, TrustFailure> {
  const cosigners = witnesses.filter((key) => timesMs.has(key)).map(({ name }) => name);
  if (!meetsQuorum(quorum, new Set(timesMs.keys()))) {
    const count = `${cosigners.length} of the ${witnesses.length} witnesses`;
    const message = `only ${count} of the policy have cosigned the checkpoint, which is no quorum`;
    return fail('quorum-missing', `${message}; make the proof again with more cosignatures`);
  }
  const so = new Set<NoteKey>();
  let timeMs: number | undefined;
  for (const [witness, time] of [...timesMs].sort(([, a], [, b]) => a - b)) {
    so.add(witness);
    timeMs = time;
    if (meetsQuorum(quorum, so)) break;
  }
  return ok({ checkpoint, cosigners, timeMs });
}

function unknownLog({ origin }: Checkpoint): Result<never, TrustFailure> {
  const message = `no log of the policy has signed the checkpoint of ${shown(origin)}`;
  return fail('log-unknown', `${message}; use the policy of that chain`);
}

function wrongSignature({ name }: NoteKey): Result<never, TrustFailure> {
  const message = `the signature of ${shown(name)} on the checkpoint is wrong`;
  return fail('signature-wrong', `${message}; the file was changed, or the signer is at fault`);
}
