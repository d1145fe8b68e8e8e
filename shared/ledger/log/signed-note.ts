import { bytesToHex, hexToBytes } from '../../basics/bytes.ts';
import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import { base64ToBytes, bytesToBase64 } from './base64.ts';
import { isKeyName, type NoteKey, shown } from './note-key.ts';

const SIGNATURES_MAX = 64;
const KEY_ID_BYTES = 4;

export interface NoteSignature {
  readonly name: string;
  /** 8 hex digits. */
  readonly keyId: string;
  /** What follows the key id: 64 bytes of a log, 8 + 64 of a cosigner. */
  readonly bytes: Uint8Array;
}

/** Text that keys have signed (c2sp.org/signed-note). */
export interface SignedNote {
  /** Ends in a newline, which is signed with it. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** The text, an empty line, a line for each signature. */
export function encodeNote({ text, signatures }: SignedNote): string {
  const lines = signatures.map(({ name, keyId, bytes }) => {
    const signature = Uint8Array.of(...hexToBytes(keyId)!, ...bytes);
    return `\u2014 ${name} ${bytesToBase64(signature)}\n`;
  });
  return `${text}\n${lines.join('')}`;
}

/** Inverse of {@link encodeNote}, at most 64 signatures; nothing is verified. */
export function decodeNote(note: string): Result<SignedNote, Failure<'note-malformed'>> {
  if (!isPlainText(note)) return malformed('it holds control characters or is not UTF-8');
  const blank = note.lastIndexOf('\n\n');
  if (blank < 0) return malformed('no empty line stands before its signatures');
  if (!note.endsWith('\n')) return malformed('it does not end in a newline; it may be cut off');
  const lines = note
    .slice(blank + 2)
    .split('\n')
    .slice(0, -1);
  if (lines.length === 0) return malformed('it has no signature');
  if (lines.length > SIGNATURES_MAX) return malformed(`it has over ${SIGNATURES_MAX} signatures`);
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const signature = decodeSignature(line);
    if (signature === undefined) return malformed(`${shown(line)} is no signature line`);
    signatures.push(signature);
  }
  return ok({ text: note.slice(0, blank + 1), signatures });
}

/** Whether the signature says it is of this key; whether it is, verifying tells. */
export function isSignedAs(signature: NoteSignature, key: NoteKey): boolean {
  return signature.keyId === key.keyId && signature.name === key.name;
}

function decodeSignature(line: string): NoteSignature | undefined {
  const [dash, name, encoded, ...rest] = line.split(' ');
  if (dash !== '\u2014' || name === undefined || encoded === undefined) return undefined;
  if (rest.length > 0 || !isKeyName(name)) return undefined;
  const bytes = base64ToBytes(encoded);
  if (bytes === undefined || bytes.length <= KEY_ID_BYTES) return undefined;
  const keyId = bytesToHex(bytes.subarray(0, KEY_ID_BYTES));
  return { name, keyId, bytes: bytes.subarray(KEY_ID_BYTES) };
}

/** UTF-8 without control characters below U+0020 but newlines. */
function isPlainText(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 && code !== 0x0a) return false;
  }
  return text.isWellFormed();
}

function malformed(what: string): Result<never, Failure<'note-malformed'>> {
  return fail('note-malformed', `the signed note is malformed: ${what}`);
}
