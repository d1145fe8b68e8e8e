import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sha256 } from '@noble/hashes/sha2.js';
import { verifyRawPortably } from '../../identity/signature.ts';
import { checkpointText, cosignCheckpoint, signCheckpoint } from './checkpoint.ts';
import { noteSignerOf, seededNoteSigner, TIME_MS } from './log.fixture.ts';
import { noteKey } from './note-key.ts';
import type { NoteSignature } from './signed-note.ts';
import type { TlogPolicy } from './tlog-policy.ts';
import { trustCheckpoint } from './trusted-checkpoint.ts';

// Two keys whose ids under this origin are both ac99790f: found in a second, by trying 44,000.
const ORIGIN = 'example.com/log';
const [first, second] = ['5309', '44146'].map((text) =>
  noteSignerOf(sha256(new TextEncoder().encode(text))),
) as [ReturnType<typeof noteSignerOf>, ReturnType<typeof noteSignerOf>];
const logs = [first, second].map(({ publicKey }) => noteKey('log', ORIGIN, publicKey));

const checkpoint = { origin: ORIGIN, size: 1, root: new Uint8Array(32) };
const text = checkpointText(checkpoint);
const witnesses = [1, 2, 3].map((seed) => {
  const signer = seededNoteSigner(seed);
  const key = noteKey('cosigner', `w${seed}`, signer.publicKey);
  const signAt = (seconds: number) =>
    cosignCheckpoint(checkpoint, key.name, { signer, timeMs: TIME_MS + 1000 * seconds });
  return { key, signAt };
});
const [one, two, three] = witnesses as [
  (typeof witnesses)[0],
  (typeof witnesses)[0],
  (typeof witnesses)[0],
];
const policy: TlogPolicy = {
  logs,
  witnesses: witnesses.map(({ key }) => key),
  quorum: {
    ...{ kind: 'group', threshold: 2 },
    members: witnesses.map(({ key }) => ({ kind: 'witness', key })),
  },
};
const cosigned = [one.signAt(0), two.signAt(0)];

describe('a checkpoint under a policy', () => {
  it('is that of either log where two have one name and id', () => {
    assert.equal(logs[0]!.keyId, logs[1]!.keyId);
    for (const signer of [first, second]) {
      assert.ok(trust([signCheckpoint(checkpoint, signer), ...cosigned]).ok);
    }
    const { keyId } = logs[0]!;
    const stranger = { ...signCheckpoint(checkpoint, seededNoteSigner(9)), keyId };
    assert.equal(codeOf([stranger, ...cosigned]), 'signature-wrong');
  });

  it('is not signed by its log where only a cosigner of the same name and id has', () => {
    const { publicKey } = seededNoteSigner(9);
    const key = { ...noteKey('cosigner', ORIGIN, publicKey), keyId: logs[0]!.keyId };
    const timed = { signer: seededNoteSigner(9), timeMs: TIME_MS };
    const { bytes } = cosignCheckpoint(checkpoint, ORIGIN, timed);
    const signatures = [{ name: ORIGIN, keyId: key.keyId, bytes }, ...cosigned];
    const colliding = { ...policy, witnesses: [...policy.witnesses, key] };
    const trusted = trustCheckpoint({ text, signatures }, colliding, verifyRawPortably);
    assert.ok(!trusted.ok && trusted.error.code === 'log-unknown');
  });

  it('is no checkpoint of a log that the policy knows by another name', () => {
    const other = signCheckpoint({ ...checkpoint, origin: 'other' }, first);
    const renamed = { ...policy, logs: [noteKey('log', 'other', first.publicKey)] };
    const trusted = trustCheckpoint({ text, signatures: [other] }, renamed, verifyRawPortably);
    assert.ok(!trusted.ok && trusted.error.code === 'log-unknown');
  });

  it('takes a name with another id, or an id with another name, for a stranger', () => {
    const signed = signCheckpoint(checkpoint, first);
    const strangers = [
      { ...signed, keyId: '00000000', bytes: new Uint8Array(64) },
      { ...signed, name: 'example.com/lag', bytes: new Uint8Array(64) },
    ];
    assert.ok(trust([signed, ...cosigned, ...strangers]).ok);
    assert.equal(codeOf([...strangers, ...cosigned]), 'log-unknown');
  });

  it('has the time at which its quorum was complete, whatever the order of its signatures', () => {
    const signed = signCheckpoint(checkpoint, first);
    const times = (...cosignatures: NoteSignature[]) => {
      const trusted = trust([signed, ...cosignatures]);
      assert.ok(trusted.ok);
      return (trusted.value.timeMs! - TIME_MS) / 1000;
    };
    assert.equal(times(one.signAt(9), two.signAt(5), three.signAt(2)), 5);
    assert.equal(times(three.signAt(2), one.signAt(9)), 9);
    // Who has signed twice has vouched since the first time.
    assert.equal(times(one.signAt(4), one.signAt(8), two.signAt(1)), 4);
    assert.equal(times(one.signAt(8), one.signAt(4), two.signAt(1)), 4);
  });
});

function trust(signatures: readonly NoteSignature[]) {
  return trustCheckpoint({ text, signatures }, policy, verifyRawPortably);
}

function codeOf(signatures: readonly NoteSignature[]): string | undefined {
  const trusted = trust(signatures);
  return trusted.ok ? undefined : trusted.error.code;
}
