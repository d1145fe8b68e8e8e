import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes } from '../../basics/bytes.ts';
import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import { type PublicKey, publicKeySchema } from '../../identity/keys.ts';
import { base64ToBytes, bytesToBase64 } from './base64.ts';

/** Holds a private key; signs bytes as they are, in no context of ours: for notes alone. */
export interface NoteSigner {
  readonly publicKey: PublicKey;
  /** An Ed25519 signature, 64 bytes. */
  signRaw(message: Uint8Array): Uint8Array;
}

/**
 * What a key signs (c2sp.org/signed-note, "Signature types"): `log` the text of a note as it is
 * (0x01), `cosigner` a checkpoint with the time (0x04, c2sp.org/tlog-cosignature).
 */
export type NoteKeyRole = 'log' | 'cosigner';

const TYPE_OF = { log: 0x01, cosigner: 0x04 } as const;

/** A key as notes name it. */
export interface NoteKey {
  readonly role: NoteKeyRole;
  readonly name: string;
  readonly publicKey: PublicKey;
  /** 8 hex digits; with the name it says which key a signature is of. It is no hash to rely on. */
  readonly keyId: string;
}

/** Not empty, without `+` or blanks of Unicode (c2sp.org/signed-note). */
export function isKeyName(name: string): boolean {
  return name !== '' && !/[\p{White_Space}+]/u.test(name) && name.isWellFormed();
}

/** Key id: the first 4 bytes of SHA-256(name, newline, type, public key) (c2sp.org/signed-note). */
export function noteKey(role: NoteKeyRole, name: string, publicKey: PublicKey): NoteKey {
  const hash = sha256
    .create()
    .update(new TextEncoder().encode(`${name}\n`))
    .update(Uint8Array.of(TYPE_OF[role]))
    .update(hexToBytes(publicKey)!)
    .digest();
  return { role, name, publicKey, keyId: bytesToHex(hash.subarray(0, 4)) };
}

/** The key as verifiers are given it: `name+keyId+base64(type, public key)`. */
export function encodeVerifierKey({ role, name, publicKey, keyId }: NoteKey): string {
  const bytes = Uint8Array.of(TYPE_OF[role], ...hexToBytes(publicKey)!);
  return `${name}+${keyId}+${bytesToBase64(bytes)}`;
}

/** Inverse of {@link encodeVerifierKey}, for a key of that role. */
export function decodeVerifierKey(
  role: NoteKeyRole,
  text: string,
): Result<NoteKey, Failure<'key-malformed' | 'key-of-another-type' | 'key-id-wrong'>> {
  const [name, keyId, ...rest] = text.split('+');
  const bytes = base64ToBytes(rest.join('+'));
  if (!isKeyName(name!) || keyId === undefined || bytes === undefined || bytes.length === 0) {
    return fail('key-malformed', `expected name+id+base64 of a ${role} key, not ${shown(text)}`);
  }
  if (bytes[0] !== TYPE_OF[role]) {
    const type = bytes[0]!.toString(16).padStart(2, '0');
    const expected = `a ${role} key has type 0x0${TYPE_OF[role]}`;
    return fail(
      'key-of-another-type',
      `the key of ${shown(name!)} has type 0x${type}; ${expected}`,
    );
  }
  const publicKey = publicKeySchema.safeParse(bytesToHex(bytes.subarray(1)));
  if (!publicKey.success) {
    return fail('key-malformed', `the key of ${shown(name!)} is no sound Ed25519 public key`);
  }
  const key = noteKey(role, name!, publicKey.data);
  if (key.keyId === keyId) return ok(key);
  return fail(
    'key-id-wrong',
    `the key of ${shown(name!)} has the id ${key.keyId}, not ${shown(keyId)}; copy it again`,
  );
}

/** Text from outside for a message: quoted, short, and nothing in it that steers a terminal. */
export function shown(text: string): string {
  return withoutControls(JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 80)}...`));
}

/** Control and formatting characters as escapes, newlines excepted. */
export function withoutControls(text: string): string {
  const escaped = (c: string) => `\\u{${c.codePointAt(0)!.toString(16)}}`;
  return text.replace(/(?!\n)[\p{Cc}\p{Cf}]/gu, escaped);
}
