import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import { base64ToBytes, bytesToBase64 } from './base64.ts';
import { decodeNumber } from './checkpoint.ts';
import type { LogHash } from './merkle-log.ts';
import { shown } from './note-key.ts';

export const PROOF_SIZE_BYTES_MAX = 128 * 1024;
const HASHES_MAX = 64;
const FIRST_LINE = 'c2sp.org/tlog-proof@v1';

/** That a log holds an entry, to be verified offline (c2sp.org/tlog-proof). */
export interface TlogProof {
  /** The entry itself, as the log hashed it. */
  readonly entry: Uint8Array;
  /** From 0. */
  readonly index: number;
  /** The entry's sibling first. */
  readonly path: readonly LogHash[];
  /** The checkpoint with its signatures, as `encodeNote` wrote it. */
  readonly note: string;
}

export type ProofFailure = Failure<'proof-too-large' | 'proof-malformed' | 'proof-without-entry'>;

/** The proof as a file `x.tlog-proof`; the entry goes into the line `extra`. */
export function encodeProof({ entry, index, path, note }: TlogProof): string {
  const hashes = path.map((hash) => `${bytesToBase64(hash)}\n`).join('');
  return `${FIRST_LINE}\nextra ${bytesToBase64(entry)}\nindex ${index}\n${hashes}\n${note}`;
}

/** Inverse of {@link encodeProof}, at most 128 KiB and 64 hashes; nothing is verified. */
export function decodeProof(text: string): Result<TlogProof, ProofFailure> {
  // UTF-16 units are never more than bytes in UTF-8: what is far too large is not even encoded.
  const isLarge = text.length > PROOF_SIZE_BYTES_MAX;
  if (isLarge || new TextEncoder().encode(text).length > PROOF_SIZE_BYTES_MAX) {
    return fail('proof-too-large', `the proof has over ${PROOF_SIZE_BYTES_MAX} bytes`);
  }
  const blank = text.indexOf('\n\n');
  if (blank < 0) return malformed('no empty line stands before its checkpoint');
  const [first, ...lines] = text.slice(0, blank).split('\n');
  if (first !== FIRST_LINE) return malformed(`it begins ${shown(first!)}, not ${FIRST_LINE}`);
  if (!lines[0]?.startsWith('extra ')) {
    return fail(
      'proof-without-entry',
      'the proof has no line "extra" with the entry; prove the record again with this program',
    );
  }
  const [extra, place, ...hashes] = lines;
  const entry = base64ToBytes(extra!.slice('extra '.length));
  if (entry === undefined) return malformed('its line "extra" is not base64');
  const index = place?.startsWith('index ') ? decodeNumber(place.slice(6)) : undefined;
  if (index === undefined) return malformed('its line "index" is missing or no number');
  if (hashes.length > HASHES_MAX) return malformed(`it has over ${HASHES_MAX} hashes`);
  const path: LogHash[] = [];
  for (const line of hashes) {
    const hash = base64ToBytes(line);
    if (hash?.length !== 32) return malformed(`${shown(line)} is not 32 bytes in base64`);
    path.push(hash);
  }
  return ok({ entry, index, path, note: text.slice(blank + 2) });
}

function malformed(what: string): Result<never, ProofFailure> {
  return fail('proof-malformed', `the proof is malformed: ${what}`);
}
