import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { bytesToHex } from '../basics/bytes.ts';
import { verifyProof } from './light-verifier.ts';
import { policyOf } from './log/chain-policy.ts';
import {
  CHAIN_ID,
  exampleNote,
  exampleProof,
  exampleRoster,
  storedLog,
  TIME_MS,
} from './log/log.fixture.ts';
import { type LogHash, leafHash, nodeHash, rootOf } from './log/merkle-log.ts';
import { inclusionProof } from './log/merkle-proof.ts';
import { encodeProof } from './log/tlog-proof.ts';
import { encodeLogEntry, type LogEntry } from './log-entry.ts';

const entryOf = (n: number, sizeBytes = 40): LogEntry => ({
  ...{ v: 1, height: n + 1, index: 0, outcome: 'accepted' },
  transaction: new Uint8Array(sizeBytes).fill(n),
});
const entries = Array.from({ length: 11 }, (_, n) => encodeLogEntry(entryOf(n)));
const INDEX = 6;
const root = rootOf(storedLog(entries.map((entry) => leafHash(entry))).frontiers[11]!);
const PROOF = exampleProof(entries, INDEX);
const POLICY = policyOf(CHAIN_ID, exampleRoster([1, 1, 1, 1]));

describe('the light verifier', () => {
  it('gives the record, where it is and who vouches for it since when', () => {
    assert.deepEqual(verifyProof(PROOF, POLICY), {
      ok: true,
      value: {
        ...{ entry: entryOf(INDEX), index: INDEX, origin: 'diten.ledger/site', size: 11, root },
        cosigners: ['edge-0.site', 'edge-1.site', 'edge-2.site'],
        // The third of them, two seconds later, made the quorum.
        timeMs: TIME_MS + 2000,
      },
    });
  });

  it('takes more cosigners than it needs, and no time later than the quorum', () => {
    const verified = verifyProof(exampleProof(entries, INDEX, 4), POLICY);
    assert.ok(verified.ok);
    assert.equal(verified.value.cosigners.length, 4);
    assert.equal(verified.value.timeMs, TIME_MS + 2000);
  });

  it('passes over signatures of keys it does not know', () => {
    const stranger = `${PROOF}\u2014 stranger AAAAAAAAAAA=\n`;
    assert.ok(verifyProof(stranger, POLICY).ok);
  });

  it('counts a cosigner once', () => {
    const lines = exampleProof(entries, INDEX, 2).split('\n');
    const twice = [...lines.slice(0, -1), lines.at(-2), ''].join('\n');
    assert.equal(codeOf(twice), 'quorum-missing');
  });

  it('verifies without cosigners under a policy that asks for none', () => {
    const policy = POLICY.replace('quorum Quorum', 'quorum none');
    const verified = verifyProof(exampleProof(entries, INDEX, 0), policy);
    assert.ok(verified.ok);
    assert.deepEqual(verified.value.cosigners, []);
    assert.equal(verified.value.timeMs, undefined);
  });

  it('verifies the only record of a log', () => {
    assert.ok(verifyProof(exampleProof(entries.slice(0, 1), 0), POLICY).ok);
  });

  const log = storedLog(entries.map((entry) => leafHash(entry)));
  const path = inclusionProof(INDEX, 11, log.node);
  const note = exampleNote(11, root);
  const made = (change: { entry?: Uint8Array; index?: number; path?: LogHash[]; note?: string }) =>
    encodeProof({ entry: entries[INDEX]!, index: INDEX, path, note, ...change });
  const line = (text: string, n: number) => `${text.split('\n')[n]}\n`;
  for (const [name, code, text] of [
    ['of over 128 KiB', 'proof-too-large', `${PROOF}${'\u00fc'.repeat(66_000)}`],
    ['of another version', 'proof-malformed', PROOF.replace('@v1', '@v2')],
    ['without its entry', 'proof-without-entry', PROOF.replace(line(PROOF, 1), '')],
    ['with an entry not in base64', 'proof-malformed', PROOF.replace('extra ', 'extra !')],
    ['without an index', 'proof-malformed', PROOF.replace(line(PROOF, 2), '')],
    ['with an index of 06', 'proof-malformed', PROOF.replace('index 6', 'index 06')],
    ['with a short hash', 'proof-malformed', PROOF.replace(line(PROOF, 3), 'AAAA\n')],
    ['with 65 hashes', 'proof-malformed', made({ path: new Array(65).fill(path[0]) })],
    ['cut off before its checkpoint', 'proof-malformed', PROOF.slice(0, PROOF.indexOf('\n\n'))],
    ['cut off in its checkpoint', 'note-malformed', PROOF.slice(0, PROOF.indexOf('\u2014') - 1)],
    ['without signatures', 'note-malformed', PROOF.slice(0, PROOF.indexOf('\u2014'))],
    ['of no size', 'checkpoint-malformed', PROOF.replace('\n11\n', '\nx\n')],
    ['of another entry', 'not-included', made({ entry: entries[0]! })],
    ['at another place', 'not-included', made({ index: 7 })],
    ['at a place beyond the log', 'not-included', made({ index: 11 })],
    ['with a hash less', 'not-included', made({ path: path.slice(1) })],
    ['of no entry of ours', 'entry-malformed', exampleProof([Uint8Array.of(1)], 0)],
    ['for another size', 'signature-wrong', PROOF.replace('\n11\n', '\n12\n')],
    ['of another chain', 'log-unknown', PROOF.replaceAll('diten.ledger/site', 'diten.ledger/sits')],
    ['with two of four cosigners', 'quorum-missing', exampleProof(entries, INDEX, 2)],
    ['without the signature of a log', 'log-unknown', PROOF.replace(/\u2014 diten.*\n/, '')],
    [
      'of which a known signature beyond the quorum is wrong',
      'signature-wrong',
      made({ note: `${note}${exampleNote(9, root, 4).split('\n').at(-2)}\n` }),
    ],
  ] as const) {
    it(`refuses a proof ${name}`, () => assert.equal(codeOf(text), code));
  }

  it('refuses a proof under the policy of other keys', () => {
    const other = exampleRoster([0, 0, 0, 0, 1, 1, 1, 1]);
    assert.equal(codeOf(PROOF, policyOf(CHAIN_ID, other)), 'log-unknown');
    assert.equal(codeOf(PROOF, POLICY.slice(0, -1)), 'policy-malformed');
  });

  it('refuses a proof with any one character changed', () => {
    const signatures = PROOF.indexOf('\u2014');
    for (let i = 0; i < PROOF.length; i += i < signatures ? 1 : 5) {
      assert.notEqual(codeOf(changedAt(PROOF, i)), undefined, `at ${i}: ${changedAt(PROOF, i)}`);
    }
  });

  it('refuses a proof under a policy with any one character changed', () => {
    for (let i = 0; i < POLICY.length; i += 3) {
      assert.notEqual(codeOf(PROOF, changedAt(POLICY, i)), undefined, changedAt(POLICY, i));
    }
  });

  it('refuses a proof with lines taken out, doubled or swapped', () => {
    const lines = PROOF.split('\n').slice(0, -1);
    const place = fc.nat(lines.length - 1);
    fc.assert(
      fc.property(place, place, (a, b) => {
        const rows = [...lines];
        rows[a] = lines[b]!;
        rows[b] = lines[a]!;
        const [first, second] = [Math.min(a, b), Math.max(a, b)];
        // The order of signatures says nothing.
        const isMoved = lines[a] !== lines[b] && !lines[first]!.startsWith('\u2014');
        assert.ok(!isMoved || codeOf(`${rows.join('\n')}\n`) !== undefined, `${a} ${b}`);
        assert.notEqual(codeOf(`${lines.toSpliced(first, 1).join('\n')}\n`), undefined);
        const isSignature = lines[second]!.startsWith('\u2014');
        const doubled = `${lines.toSpliced(second, 0, lines[second]!).join('\n')}\n`;
        assert.equal(codeOf(doubled) === undefined, isSignature);
      }),
      { numRuns: 40 },
    );
  });

  it('rests on the verifier that it is given', () => {
    const asked: number[] = [];
    const verify = (answer: boolean) =>
      verifyProof(PROOF, POLICY, (_key, _message, signature) => {
        asked.push(signature.length);
        return answer;
      });
    assert.ok(verify(true).ok);
    assert.ok(asked.length > 3 && asked.every((length) => length === 64));
    const refused = verify(false);
    assert.equal(!refused.ok && refused.error.code, 'signature-wrong');
  });

  it('throws nothing at garbage', () => {
    const slice = fc.tuple(fc.nat(PROOF.length), fc.nat(PROOF.length));
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }),
      slice.map(([a, b]) => PROOF.slice(a, b)),
      slice.map(([a, b]) => POLICY.slice(a, b)),
    );
    const text = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(text, text, (proof, policy) => {
        assert.ok(codeOf(proof) === undefined || codeOf(proof)!.length > 3);
        assert.notEqual(codeOf(PROOF, `${policy}\ud800`), undefined);
        verifyProof(proof, policy);
      }),
      { numRuns: 150 },
    );
  });
});

describe('a proof of one record of a million', () => {
  it('with a transaction of 1 KiB has at most 4 KB', () => {
    const entry = encodeLogEntry(entryOf(1, 1024));
    const size = 1_000_000;
    // All records are the same here, so a subtree is known by its level.
    const levels = [leafHash(entry)];
    while (levels.length < 20) levels.push(nodeHash(levels.at(-1)!, levels.at(-1)!));
    const bits = [...size.toString(2)].reverse();
    const hashes = levels.filter((_, level) => bits[level] === '1').reverse();
    const path = inclusionProof(123_456, size, (level) => levels[level]!);
    assert.equal(path.length, 20);
    const note = exampleNote(size, rootOf({ size, hashes }));
    const proof = encodeProof({ entry, index: 123_456, path, note });
    assert.ok(proof.length <= 4000, `${proof.length} bytes`);
    const verified = verifyProof(proof, POLICY);
    assert.ok(verified.ok);
    assert.equal(bytesToHex(verified.value.root), bytesToHex(rootOf({ size, hashes })));
  });
});

function codeOf(proof: string, policy = POLICY): string | undefined {
  const verified = verifyProof(proof, policy);
  return verified.ok ? undefined : verified.error.code;
}

/** Another character in its place, a digit for a digit: little is refused for its form alone. */
function changedAt(text: string, i: number): string {
  const other = /[0-9]/.test(text[i]!) ? String((Number(text[i]) + 1) % 10) : 'A';
  return text.slice(0, i) + (other === text[i] ? 'B' : other) + text.slice(i + 1);
}
