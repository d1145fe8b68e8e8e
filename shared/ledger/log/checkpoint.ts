import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import type { VerifyRaw } from '../../identity/signature.ts';
import { base64ToBytes, bytesToBase64 } from './base64.ts';
import type { LogHash } from './merkle-log.ts';
import { type NoteKey, type NoteSigner, noteKey } from './note-key.ts';
import type { NoteSignature } from './signed-note.ts';

const TIMESTAMP_BYTES = 8;
const SIGNATURE_BYTES = 64;

/** The head of a log: what its keys sign (c2sp.org/tlog-checkpoint). */
export interface Checkpoint {
  /** The log's identity, and the name of its keys. */
  readonly origin: string;
  readonly size: number;
  readonly root: LogHash;
}

/** The origin of a chain's log. */
export function originOf(chainId: string): string {
  return `diten.ledger/${chainId}`;
}

/** The name that a validator's cosigner key has in notes. */
export function cosignerNameOf(validator: string, chainId: string): string {
  return `${validator}.${chainId}`;
}

/** The text of the note: origin, size and root, a line each. */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${bytesToBase64(root)}\n`;
}

/** Inverse of {@link checkpointText}; extension lines may follow and mean nothing here. */
export function decodeCheckpoint(
  text: string,
): Result<Checkpoint, Failure<'checkpoint-malformed'>> {
  const [origin, size, root, ...rest] = text.split('\n');
  if (!text.endsWith('\n') || !origin || size === undefined || root === undefined) {
    return malformed('expected the lines origin, size and root');
  }
  if (rest.slice(0, -1).includes('')) return malformed('an extension line is empty');
  const number = decodeNumber(size);
  if (number === undefined) return malformed('the size is no whole number below 2^53');
  const hash = base64ToBytes(root);
  if (hash?.length !== 32) return malformed('the root is not 32 bytes in base64');
  return ok({ origin, size: number, root: hash });
}

/** ASCII decimal without leading zeros, below 2^53. */
export function decodeNumber(text: string): number | undefined {
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** The log's own signature on its checkpoint, by the name of its origin. */
export function signCheckpoint(checkpoint: Checkpoint, signer: NoteSigner): NoteSignature {
  const { name, keyId } = noteKey('log', checkpoint.origin, signer.publicKey);
  const bytes = signer.signRaw(new TextEncoder().encode(checkpointText(checkpoint)));
  return { name, keyId, bytes };
}

/**
 * A cosigner's statement that this is the largest head of the log it has seen, consistent with all
 * before, at `timeMs` (cut to whole seconds; c2sp.org/tlog-cosignature).
 */
export function cosignCheckpoint(
  checkpoint: Checkpoint,
  name: string,
  { signer, timeMs }: { signer: NoteSigner; timeMs: number },
): NoteSignature {
  const { keyId } = noteKey('cosigner', name, signer.publicKey);
  const seconds = Math.floor(timeMs / 1000);
  const bytes = new Uint8Array(TIMESTAMP_BYTES + SIGNATURE_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(seconds));
  bytes.set(signer.signRaw(cosignedBytes(checkpointText(checkpoint), seconds)), TIMESTAMP_BYTES);
  return { name, keyId, bytes };
}

/** Whether the signature is that of a log's key on the text of a checkpoint. */
export function isLogSignature(
  text: string,
  key: NoteKey,
  { bytes }: NoteSignature,
  verify: VerifyRaw,
): boolean {
  return verify(key.publicKey, new TextEncoder().encode(text), bytes);
}

/** When a cosigner's key signed the text of a checkpoint, by its own clock, in whole seconds. */
export function cosignatureTimeMs(
  text: string,
  key: NoteKey,
  { bytes }: NoteSignature,
  verify: VerifyRaw,
): number | undefined {
  if (bytes.length !== TIMESTAMP_BYTES + SIGNATURE_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const seconds = Number(view.getBigUint64(0));
  if (!Number.isSafeInteger(seconds * 1000)) return undefined;
  const message = cosignedBytes(text, seconds);
  return verify(key.publicKey, message, bytes.subarray(TIMESTAMP_BYTES))
    ? seconds * 1000
    : undefined;
}

function cosignedBytes(text: string, seconds: number): Uint8Array {
  return new TextEncoder().encode(`cosignature/v1\ntime ${seconds}\n${text}`);
}

function malformed(what: string): Result<never, Failure<'checkpoint-malformed'>> {
  return fail('checkpoint-malformed', `the checkpoint is malformed: ${what}`);
}
