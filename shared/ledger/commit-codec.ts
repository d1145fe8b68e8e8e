import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import type { Commit } from './consensus/certificate.ts';
import { decodeMessage, encodeMessage } from './consensus/message-codec.ts';
import type { Vote } from './consensus/vote.ts';

/** Canonical CBOR of a commit certificate, in the form of the consensus message. */
export function encodeCommit(commit: Commit): Uint8Array<ArrayBuffer> {
  return encodeMessage({ kind: 'certificate', certificate: commit });
}

/** Inverse of {@link encodeCommit}; says nothing of signatures, weights or who is a validator. */
export function decodeCommit(bytes: Uint8Array): Result<Commit, Failure<'commit-malformed'>> {
  const decoded = decodeMessage(bytes);
  if (!decoded.ok) return fail('commit-malformed', `the commit: ${decoded.error.message}`);
  const { value: message } = decoded;
  if (message.kind !== 'certificate' || message.certificate.kind !== 'commit') {
    return fail('commit-malformed', 'the bytes are another message than a commit');
  }
  return ok(message.certificate);
}

/**
 * The commit as it is kept: in the order of the voters, without votes that do not verify. One odd
 * signature of a minority must not make it one that others refuse.
 */
export function canonicalCommit(commit: Commit, isSigned: (vote: Vote) => boolean): Commit {
  const votes = commit.votes.filter(isSigned).sort((a, b) => (a.voter < b.voter ? -1 : 1));
  return { ...commit, votes };
}
