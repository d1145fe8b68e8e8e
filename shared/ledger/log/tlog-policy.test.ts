import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { policyOf } from './chain-policy.ts';
import { CHAIN_ID, exampleRoster, seededNoteSigner } from './log.fixture.ts';
import { encodeVerifierKey, noteKey } from './note-key.ts';
import { decodePolicy, meetsQuorum, type TlogPolicy } from './tlog-policy.ts';

const logKey = (seed: number) =>
  encodeVerifierKey(noteKey('log', 'example.com/log', seededNoteSigner(seed).publicKey));
const witnessKey = (name: string, seed: number) =>
  encodeVerifierKey(noteKey('cosigner', name, seededNoteSigner(seed).publicKey));

const LOG = `log ${logKey(1)}\n`;
const X = [1, 2, 3].map((n) => `witness X${n} ${witnessKey(`x${n}`, 10 + n)}\n`).join('');
const Y = [1, 2, 3].map((n) => `witness Y${n} ${witnessKey(`y${n}`, 20 + n)}\n`).join('');
// As in c2sp.org/tlog-policy, "Example policy".
const EXAMPLE = `${LOG}
${X}group X-witnesses 2 X1 X2 X3

${Y}group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`;

describe('a policy', () => {
  it('as C2SP shows it asks for two of the one and one of the other', () => {
    const policy = sound(EXAMPLE);
    assert.deepEqual(
      policy.witnesses.map(({ name }) => name),
      ['x1', 'x2', 'x3', 'y1', 'y2', 'y3'],
    );
    assert.ok(isMet(policy, ['x1', 'x3', 'y2']));
    assert.ok(isMet(policy, ['x1', 'x2', 'x3', 'y1', 'y2', 'y3']));
    assert.ok(!isMet(policy, ['x1', 'y1', 'y2', 'y3']));
    assert.ok(!isMet(policy, ['x1', 'x2', 'x3']));
  });

  it('may name one witness, or none', () => {
    const one = sound(`${LOG}${X}quorum X2\n`);
    assert.ok(isMet(one, ['x2']));
    assert.ok(!isMet(one, ['x1', 'x3']));
    assert.ok(isMet(sound('quorum none\n'), []));
  });

  it('may hold comments, tabs, addresses and empty lines', () => {
    const text = `# \u00fc\n\n \t# a\n\t${LOG.trim()} \t https://log.example\n${X}\tquorum  X1\t\n`;
    assert.equal(sound(text).logs.length, 1);
  });

  const many = (count: number, line: (n: number) => string) =>
    Array.from({ length: count }, (_, n) => `${line(n)}\n`).join('');
  for (const [name, code, text] of [
    ['of over 64 KiB', 'policy-too-large', `#${'\u00fc'.repeat(33_000)}\n`],
    ['with over 64 logs', 'policy-too-large', many(65, (n) => `log ${logKey(n)}`)],
    [
      'with over 64 groups',
      'policy-too-large',
      X + many(65, (n) => `group g${n} any ${n === 0 ? 'X1' : `g${n - 1}`}`),
    ],
    ['that is cut off in a line', 'policy-malformed', EXAMPLE.slice(0, -1)],
    ['with a carriage return', 'policy-malformed', EXAMPLE.replace('\n', '\r\n')],
    ['with a DEL', 'policy-malformed', `#\x7f\n${EXAMPLE}`],
    ['with half a surrogate pair', 'policy-malformed', `#\ud800\n${EXAMPLE}`],
    ['with another keyword', 'policy-malformed', `${EXAMPLE}mirror X1\n`],
    ['with a log and three words', 'policy-malformed', `log ${logKey(1)} a b\n`],
    ['with a witness of no key', 'policy-malformed', 'witness X\n'],
    ['with a quorum of two', 'policy-malformed', `${X}quorum X1 X2\n`],
    ['with two quorums', 'policy-malformed', `${EXAMPLE}quorum X1\n`],
    ['with an empty group', 'policy-malformed', `${X}group g any\n`],
    ['with a group of 0', 'policy-malformed', `${X}group g 0 X1\n`],
    ['with a group of 3 in 2', 'policy-malformed', `${X}group g 3 X1 X2\n`],
    ['with a group of 01', 'policy-malformed', `${X}group g 01 X1\n`],
    ['with a group of some', 'policy-malformed', `${X}group g some X1\n`],
    ['with one log twice', 'policy-key-twice', LOG + LOG],
    [
      'with one key for two witnesses',
      'policy-key-twice',
      `${X}witness X4 ${witnessKey('x4', 11)}\n`,
    ],
    ['with a name twice', 'policy-name-wrong', `${X}witness X1 ${witnessKey('x4', 14)}\n`],
    ['with a group named as a witness', 'policy-name-wrong', `${X}group X1 any X1\n`],
    ['with a witness named none', 'policy-name-wrong', `witness none ${witnessKey('n', 1)}\n`],
    ['with none in a group', 'policy-name-wrong', 'group g any none\n'],
    ['with a member twice', 'policy-name-wrong', `${X}group g any X1 X1\n`],
    ['with a member of two groups', 'policy-name-wrong', `${X}group g any X1\ngroup h any X1\n`],
    ['with a group in itself', 'policy-name-wrong', `${X}group g any g\n`],
    ['with a quorum not defined', 'policy-name-wrong', `${X}quorum Z\n`],
    ['with a quorum defined later', 'policy-name-wrong', `quorum X1\n${X}`],
    ['without a quorum', 'policy-without-quorum', LOG + X],
    ['with a key of a log for a witness', 'key-of-another-type', `witness X ${logKey(1)}\n`],
    ['with a changed key', 'key-id-wrong', EXAMPLE.replace('example.com/log', 'example.com/lag')],
    ['with garbage for a key', 'key-malformed', 'log a\n'],
  ] as const) {
    it(`${name} is refused`, () => {
      const decoded = decodePolicy(text);
      assert.ok(!decoded.ok);
      assert.equal(decoded.error.code, code, decoded.error.message);
    });
  }

  it('that is garbage is refused, and nothing thrown', () => {
    const words = ['log', 'witness', 'group', 'quorum', 'none', 'all', '1', 'X1', 'g', ' ', '\n'];
    const word = fc.constantFrom(...words, logKey(1), witnessKey('x', 3), '#', '\t', '\u{10ffff}');
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(word).map((all) => `${all.join(' ')}\n`),
    );
    fc.assert(
      fc.property(text, (garbage) => {
        const decoded = decodePolicy(garbage);
        if (!decoded.ok) assert.match(decoded.error.code, /^(?:policy|key)-/);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the policy of a chain', () => {
  for (const [weights, heads] of [
    [[1], 1],
    [[1, 1, 1], 3],
    [[1, 1, 1, 1], 3],
    [[2, 2, 2, 2, 2, 2, 2], 5],
    [[1, 1, 1, 0], 3],
    // Not even the three lightest of these are two thirds.
    [[1, 1, 1, 3], 4],
    [[1, 2, 3, 3], 4],
    [[3, 3, 2, 1], 4],
    [[2, 3, 3, 3], 3],
  ] as const) {
    it(`asks for ${heads} heads where weights are ${weights.join(', ')}`, () => {
      const text = policyOf(CHAIN_ID, exampleRoster(weights));
      const { logs, witnesses, quorum } = sound(text);
      const voters = weights.filter((weight: number) => weight > 0).length;
      assert.deepEqual([logs.length, witnesses.length], [voters, voters]);
      assert.ok(quorum.kind === 'group' && quorum.threshold === heads);
      assert.equal(quorum.members.length, voters);
      assert.equal(logs[0]!.name, 'diten.ledger/site');
      assert.equal(witnesses[0]!.name, 'edge-0.site');
    });
  }
});

function sound(text: string): TlogPolicy {
  const decoded = decodePolicy(text);
  assert.ok(decoded.ok, decoded.ok ? '' : decoded.error.message);
  return decoded.value;
}

function isMet({ quorum, witnesses }: TlogPolicy, names: readonly string[]): boolean {
  return meetsQuorum(quorum, new Set(witnesses.filter(({ name }) => names.includes(name))));
}
