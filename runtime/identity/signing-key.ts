import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { configurationError } from '#runtime/process/program-error.ts';
import { type PublicKey, publicKeySchema } from '#shared/identity/keys.ts';
import { type Signer, signatureSchema } from '#shared/identity/signature.ts';
import { signingBytes } from '#shared/identity/signing-bytes.ts';

/**
 * Opens a program's Ed25519 key (PKCS #8 in PEM, RFC 8410; mode 0600), and makes it where the file
 * is missing: whole and on the disk before anything is signed with it.
 *
 * Errors (exit 78; an existing file is left as it is): `key-unreadable`, `key-unwritable`,
 * `key-exposed` (others may read it), `key-wrong-kind`.
 */
export function openSigningKey(file: string): Signer {
  return toSigner(openPrivateKey(file));
}

/** The key of {@link openSigningKey}, for who derives others from it. */
export function openPrivateKey(file: string): KeyObject {
  return toPrivateKey(file, readKeyFile(file) ?? makeKeyFile(file));
}

/** The file's text, or `undefined` where there is none. */
function readKeyFile(file: string): string | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const mode = fstatSync(descriptor).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw configurationError(
        'key-exposed',
        `${file}: other users may use this private key (mode 0${mode.toString(8)}); run ` +
          '"chmod 600" on it, and replace it if somebody may have read it',
      );
    }
    return readFileSync(descriptor, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'key-exposed') throw cause;
    throw configurationError(
      'key-unreadable',
      `${file}: cannot read this private key (${message}); check that this user may read it`,
      cause,
    );
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Links a finished file into place, so that no crash leaves half a key and none is overwritten. */
function makeKeyFile(file: string): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const draft = `${file}.new`;
  try {
    rmSync(draft, { force: true });
    writeFileSync(draft, pem, { mode: 0o600, flag: 'wx', flush: true });
    linkSync(draft, file);
    rmSync(draft);
    syncFolder(dirname(file));
    return pem;
  } catch (cause) {
    throw configurationError(
      'key-unwritable',
      `${file}: cannot make this private key (${(cause as Error).message}); check that its ` +
        'folder exists and that this user may write there',
      cause,
    );
  }
}

function syncFolder(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function toPrivateKey(file: string, pem: string): KeyObject {
  const wrongKind = (reason: string, cause?: unknown) =>
    configurationError(
      'key-wrong-kind',
      `${file}: not an Ed25519 private key in PEM without a passphrase (${reason}); restore the ` +
        'right file, or move this one away to have a new key made',
      cause,
    );
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw wrongKind((cause as Error).message, cause);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw wrongKind(`it is ${key.asymmetricKeyType}`);
  return key;
}

export function toSigner(privateKey: KeyObject): Signer {
  return {
    publicKey: publicKeyOf(privateKey),
    sign: (context, message) =>
      signatureSchema.parse(sign(null, signingBytes(context, message), privateKey).toString('hex')),
  };
}

/** The public half of an Ed25519 private key. */
export function publicKeyOf(privateKey: KeyObject): PublicKey {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  return publicKeySchema.parse(Buffer.from(x!, 'base64url').toString('hex'));
}
