import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import { verifyPortably } from '#shared/identity/signature.ts';
import { verifyNatively } from './native-verification.ts';
import { openSigningKey } from './signing-key.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-key-'));
after(() => rmSync(folder, { recursive: true }));

const context = 'diten/ledger/block/v1';
const message = Uint8Array.of(1, 2, 3);

describe('a signing key', () => {
  it('is made once, for its owner alone, and found again', () => {
    const file = join(folder, 'made.pem');
    const made = openSigningKey(file);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(!existsSync(`${file}.new`));
    assert.equal(openSigningKey(file).publicKey, made.publicKey);
  });

  it('signs what both verifiers accept', () => {
    const { publicKey, sign } = openSigningKey(join(folder, 'signs.pem'));
    const signed = { publicKey, context, message, signature: sign(context, message) } as const;
    assert.ok(verifyPortably(signed));
    assert.ok(verifyNatively(signed));
  });

  it('is made where an attempt to make it was cut short', () => {
    const file = join(folder, 'resumed.pem');
    writeFileSync(`${file}.new`, '-----BEGIN');
    openSigningKey(file);
    assert.ok(!existsSync(`${file}.new`));
    assert.match(readFileSync(file, 'utf8'), /END PRIVATE KEY/);
  });

  it('is refused where others may read it', () => {
    const file = join(folder, 'exposed.pem');
    openSigningKey(file);
    for (const mode of [0o640, 0o604]) {
      chmodSync(file, mode);
      refuses(file, 'key-exposed');
    }
  });

  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
  for (const [name, text] of [
    ['of another algorithm', p256.export(pkcs8)],
    ['that is public', publicKey.export({ type: 'spki', format: 'pem' })],
    [
      'behind a passphrase',
      privateKey.export({ ...pkcs8, cipher: 'aes-256-cbc', passphrase: 'x' }),
    ],
    ['that is no key', 'hello'],
    ['that is empty', ''],
  ] as const) {
    it(`refuses a file ${name}, and leaves it as it is`, () => {
      const file = join(folder, `${name.replaceAll(' ', '-')}.pem`);
      writeFileSync(file, text, { mode: 0o600 });
      refuses(file, 'key-wrong-kind');
      assert.equal(readFileSync(file, 'utf8'), text);
    });
  }

  it('says where it cannot be read or made', () => {
    const directory = join(folder, 'directory.pem');
    mkdirSync(directory, { mode: 0o700 });
    refuses(directory, 'key-unreadable');
    refuses(join(folder, 'missing', 'key.pem'), 'key-unwritable');
  });
});

function refuses(file: string, code: string): void {
  assert.throws(
    () => openSigningKey(file),
    (error) =>
      error instanceof ProgramError &&
      error.code === code &&
      error.exit === exitCode.configuration &&
      error.message.startsWith(`${file}: `) &&
      !error.message.includes('\n'),
  );
}
