import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { verifyRawPortably } from '../../identity/signature.ts';
import {
  cosignatureTimeMs,
  cosignCheckpoint,
  decodeCheckpoint,
  isLogSignature,
  signCheckpoint,
} from './checkpoint.ts';
import { seededNoteSigner } from './log.fixture.ts';
import { decodeVerifierKey, encodeVerifierKey, noteKey } from './note-key.ts';
import { decodeNote, encodeNote, isSignedAs } from './signed-note.ts';

// c2sp.org/signed-note, "Example".
const EXAMPLE_KEY = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
const EXAMPLE_NOTE = `This is an example message.

\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZ\
XsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
`;

// The text is c2sp.org/tlog-checkpoint's example; signed with the seeds 7 and 8 by
// golang.org/x/mod/sumdb/note 0.42.0 and github.com/transparency-dev/formats/note 0.1.1.
const ORIGIN = 'example.com/behind-the-sofa';
const WITNESS = 'witness.example.com/w1';
const GO_LOG_KEY = `${ORIGIN}+252b74d2+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs`;
const GO_WITNESS_KEY = `${WITNESS}+9582033c+BBOY9ixtGkV8UbpqS189vS9p/KkyFiGNyJl+QWvRfZPK`;
const GO_TIME_MS = 0x6b02bf01 * 1000;
const GO_NOTE = `${ORIGIN}
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u2014 ${ORIGIN} JSt00p6KTYtH8opAMF2NJ7glHT4uHMzg9iBNNDYLQta3Pz\
LlhUjMPmDAXA2L1DXjWfKrvjQJdIEVj9Tiu9f35PqL5g8=
\u2014 ${WITNESS} lYIDPAAAAABrAr8BOS62oAcXSfG6idSPncoPnuisc4nhx\
kcA8k+E2VvKcY0VCx3QOjizrj5sL9usX11neN6piFRsQqfaM/8rpd1wBA==
`;

describe('a signed note', () => {
  it('that C2SP publishes verifies', () => {
    const key = sound(decodeVerifierKey('log', EXAMPLE_KEY));
    const { text, signatures } = sound(decodeNote(EXAMPLE_NOTE));
    assert.equal(text, 'This is an example message.\n');
    assert.ok(isSignedAs(signatures[0]!, key));
    assert.ok(isLogSignature(text, key, signatures[0]!, verifyRawPortably));
    assert.ok(!isLogSignature(`${text}\n`, key, signatures[0]!, verifyRawPortably));
  });

  it('may hold empty lines: the last one ends its text', () => {
    const note = EXAMPLE_NOTE.replace('This', 'That\n\nis\n\n\nThis');
    const { text } = sound(decodeNote(note));
    assert.equal(text, 'That\n\nis\n\n\nThis is an example message.\n');
  });

  it('comes back as it was', () => {
    assert.equal(encodeNote(sound(decodeNote(GO_NOTE))), GO_NOTE);
  });

  const line = EXAMPLE_NOTE.split('\n')[2]!;
  for (const [name, note] of [
    ['without an empty line', EXAMPLE_NOTE.replace('\n\n', '\n')],
    ['without signatures', 'text\n\n'],
    ['cut off in its last line', EXAMPLE_NOTE.slice(0, -1)],
    ['cut off in its second signature', GO_NOTE.slice(0, -1)],
    ['with a carriage return', EXAMPLE_NOTE.replace('\n', '\r\n')],
    ['with half a surrogate pair', EXAMPLE_NOTE.replace('This', '\ud800')],
    ['with a hyphen for the dash', EXAMPLE_NOTE.replace('\u2014', '-')],
    ['with a key of no name', EXAMPLE_NOTE.replace('example.com/foo', '')],
    ['with a plus in a name', EXAMPLE_NOTE.replace('.com/foo', '+com')],
    ['with a wide space in a name', EXAMPLE_NOTE.replace('.com/foo', '\u3000com')],
    ['with a fourth word', EXAMPLE_NOTE.replace('=\n', '= x\n')],
    ['with stray bits in its base64', EXAMPLE_NOTE.replace('aQM=', 'aQN=')],
    ['without padding', EXAMPLE_NOTE.replace('aQM=', 'aQM')],
    ['with only a key id', `text\n\n\u2014 name AAAAAA==\n`],
    ['with 65 signatures', `text\n\n${`${line}\n`.repeat(65)}`],
  ] as const) {
    it(`${name} is refused`, () => {
      const decoded = decodeNote(note);
      assert.ok(!decoded.ok);
      assert.equal(decoded.error.code, 'note-malformed');
    });
  }

  it('of 64 signatures is read', () => {
    assert.equal(sound(decodeNote(`text\n\n${`${line}\n`.repeat(64)}`)).signatures.length, 64);
  });
});

describe('a checkpoint', () => {
  const log = seededNoteSigner(7);
  const witness = seededNoteSigner(8);
  const { text, signatures } = sound(decodeNote(GO_NOTE));
  const checkpoint = sound(decodeCheckpoint(text));
  const key = noteKey('cosigner', WITNESS, witness.publicKey);

  it('is signed and cosigned as Go does, byte for byte', () => {
    assert.equal(encodeVerifierKey(noteKey('log', ORIGIN, log.publicKey)), GO_LOG_KEY);
    assert.equal(encodeVerifierKey(key), GO_WITNESS_KEY);
    assert.deepEqual(signCheckpoint(checkpoint, log), signatures[0]);
    const timed = { signer: witness, timeMs: GO_TIME_MS + 999 };
    assert.deepEqual(cosignCheckpoint(checkpoint, WITNESS, timed), signatures[1]);
  });

  it('that Go cosigned gives the time', () => {
    assert.equal(cosignatureTimeMs(text, key, signatures[1]!, verifyRawPortably), GO_TIME_MS);
  });

  it('with extension lines is cosigned with them', () => {
    const extended = `${text}more\n`;
    assert.deepEqual(sound(decodeCheckpoint(extended)), checkpoint);
    assert.equal(cosignatureTimeMs(extended, key, signatures[1]!, verifyRawPortably), undefined);
  });

  it('has no cosignature with another time', () => {
    const { bytes } = signatures[1]!;
    const signature = { ...signatures[1]!, bytes: bytes.with(7, bytes[7]! ^ 1) };
    assert.equal(cosignatureTimeMs(text, key, signature, verifyRawPortably), undefined);
  });

  it('has no cosignature of another length or beyond numbers, whatever verifies it', () => {
    const { bytes } = signatures[1]!;
    for (const other of [bytes.subarray(1), Uint8Array.of(...bytes, 0), bytes.with(0, 0x7f)]) {
      const signature = { ...signatures[1]!, bytes: other };
      assert.equal(
        cosignatureTimeMs(text, key, signature, () => true),
        undefined,
      );
    }
  });

  const [origin, size, root] = text.split('\n') as [string, string, string];
  for (const [name, changed] of [
    ['no origin', `\n${size}\n${root}\n`],
    ['no root', `${origin}\n${size}\n`],
    ['a leading zero', `${origin}\n0${size}\n${root}\n`],
    ['a sign', `${origin}\n+${size}\n${root}\n`],
    ['a size of 2^53', `${origin}\n9007199254740992\n${root}\n`],
    ['a short root', `${origin}\n${size}\n${root.slice(4)}\n`],
    ['an empty extension line', `${text}\nmore\n`],
    ['no newline at its end', text.slice(0, -1)],
  ] as const) {
    it(`with ${name} is refused`, () => {
      const decoded = decodeCheckpoint(changed);
      assert.ok(!decoded.ok);
      assert.equal(decoded.error.code, 'checkpoint-malformed');
    });
  }

  it('of the empty log has the size 0', () => {
    assert.equal(sound(decodeCheckpoint(`${origin}\n0\n${root}\n`)).size, 0);
  });
});

describe('a verifier key', () => {
  for (const [name, code, text] of [
    ['with another id', 'key-id-wrong', EXAMPLE_KEY.replace('+530d903a', '+530d903b')],
    ['with another name', 'key-id-wrong', EXAMPLE_KEY.replace('foo', 'bar')],
    ['of a cosigner', 'key-of-another-type', GO_WITNESS_KEY],
    ['without an id', 'key-malformed', 'example.com/foo'],
    ['without a name', 'key-malformed', EXAMPLE_KEY.replace('example.com/foo', '')],
    ['that is short', 'key-malformed', `${EXAMPLE_KEY.slice(0, -4)}`],
    ['of small order', 'key-malformed', `a+00000000+AQEA${'A'.repeat(40)}`],
  ] as const) {
    it(`${name} is refused`, () => {
      const decoded = decodeVerifierKey('log', text);
      assert.ok(!decoded.ok);
      assert.equal(decoded.error.code, code, decoded.error.message);
    });
  }
});

it('garbage is refused and nothing thrown', () => {
  const pieces = fc.constantFrom('\n', '\n\n', '\u2014 ', 'a', ' ', '+', '\ud800', 'AAAAAAAA', '0');
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(text, (garbage) => {
      const note = decodeNote(garbage);
      if (note.ok) assert.equal(encodeNote(note.value), garbage);
      decodeCheckpoint(garbage);
      assert.ok(!decodeVerifierKey('cosigner', garbage).ok);
    }),
    { numRuns: 2000 },
  );
});

function sound<T>(result: { ok: true; value: T } | { ok: false; error: { message: string } }): T {
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}
