import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { accountSignerOf } from '../identity/account-key.ts';
import { digestOfPlain } from '../identity/digest.ts';
import { keyIdOf } from '../identity/keys.ts';
import { decodeBlock, encodeBlock } from './block.ts';
import {
  ExampleChain,
  exampleGenesis,
  exampleMember,
  member,
  operator,
  verifyOnce,
} from './chain.fixture.ts';
import { canonicalCommit, decodeCommit, encodeCommit } from './commit-codec.ts';
import type { Commit } from './consensus/certificate.ts';
import { executeBlock } from './execute-block.ts';
import { encodeGenesis } from './genesis.ts';
import type { TransactionContent } from './transaction.ts';
import { type DecidedBlock, verifyChain } from './verify-chain.ts';

const node = (n: number) => accountSignerOf(member(n));
const define = (name: string): TransactionContent => ({
  type: 'task.define',
  body: { task: digestOfPlain(name), model: digestOfPlain('onnx') },
});

/** Four blocks; a fifth validator votes from height 3 on. */
function exampleChain(genesis = exampleGenesis({ operators: 1 })): ExampleChain {
  const chain = new ExampleChain(genesis);
  const add: TransactionContent = { type: 'validator.add', body: exampleMember(4) };
  chain.commit(chain.sign(operator(0), add), chain.sign(node(0), define('a')));
  chain.commit(chain.sign(node(1), define('a')), chain.sign(node(2), define('b')));
  chain.commit();
  chain.commit(chain.sign(node(4), define('c')));
  return chain;
}

const chain = exampleChain();

const verified = (blocks: readonly DecidedBlock[], genesis = chain.encodedGenesis) =>
  verifyChain({ genesis, blocks }, verifyOnce);

describe('a chain', () => {
  it('comes to what its nodes had', () => {
    const result = verified(chain.decided);
    assert.ok(result.ok);
    assert.deepEqual(result.value.chain, chain.chain);
    assert.deepEqual(result.value.state, chain.state);
    assert.deepEqual([result.value.transactions, result.value.rejected], [5, 1]);
  });

  const [first, second, third, fourth] = chain.decided as [
    DecidedBlock,
    DecidedBlock,
    DecidedBlock,
    DecidedBlock,
  ];
  const foreign = exampleChain({ ...exampleGenesis({ operators: 1 }), chainId: 'another' });
  const otherBlock = exampleChain({ ...exampleGenesis({ operators: 1 }), timeMs: 5 });
  const commitOf = ({ commit }: DecidedBlock): Commit => {
    const decoded = decodeCommit(commit);
    assert.ok(decoded.ok);
    return decoded.value;
  };
  const withVotes = (at: DecidedBlock, change: (votes: Commit['votes']) => Commit['votes']) => {
    const commit = commitOf(at);
    return { ...at, commit: encodeCommit({ ...commit, votes: change(commit.votes) }) };
  };
  for (const [name, code, height, blocks] of [
    ['the first missing', 'wrong-commit', 1, [second, third]],
    ['one missing in the middle', 'wrong-commit', 2, [first, third]],
    ['two in another order', 'wrong-commit', 1, [second, first, third]],
    ['one twice', 'wrong-commit', 2, [first, first]],
    ["another chain's block", 'wrong-signature', 1, foreign.decided],
    ["another history's block", 'wrong-previous', 1, otherBlock.decided],
    ["another's commit", 'wrong-commit', 2, [first, { ...second, commit: first.commit }]],
    ["another's block", 'wrong-commit', 2, [first, { ...second, block: first.block }]],
    ['no commit', 'commit-malformed', 3, [first, second, { ...third, commit: new Uint8Array() }]],
    ['too few votes', 'too-little-weight', 1, [withVotes(first, (votes) => votes.slice(0, 2))]],
    [
      'a voter twice',
      'repeated-voter',
      1,
      [withVotes(first, (votes) => [votes[0]!, votes[0]!, votes[1]!])],
    ],
    [
      'a vote of who votes later',
      'unknown-voter',
      1,
      [withVotes(first, (votes) => [...votes, commitOf(fourth).votes.at(-1)!])],
    ],
    [
      'a signature in place of another',
      'wrong-signature',
      2,
      [
        first,
        withVotes(second, ([a, b, ...rest]) => [
          { ...a!, signature: b!.signature },
          { ...b!, signature: a!.signature },
          ...rest,
        ]),
      ],
    ],
    ['a quorum of the set before', 'too-little-weight', 3, [first, second, quorumOf(third, 3)]],
  ] satisfies [string, string, number, DecidedBlock[]][]) {
    it(`is refused with ${name}`, () => {
      const result = verified(blocks);
      assert.ok(!result.ok);
      assert.deepEqual([result.error.code, result.error.height], [code, height]);
    });
  }

  it('is refused with a block that was decided and is wrong all the same', () => {
    const wrong = new ExampleChain(exampleGenesis({ operators: 1 }));
    const { block } = wrong.commit(wrong.sign(node(0), define('a')));
    const lied = new ExampleChain(exampleGenesis({ operators: 1 }));
    const header = { ...block.header, state: digestOfPlain('another') };
    const hash = digestOfPlain(header);
    const commit = lied.commitOf({ ...wrong.staged[0]!, hash });
    const decided = { block: encodeBlock({ ...block, header }), commit: encodeCommit(commit) };
    const result = verified([decided]);
    assert.ok(!result.ok && result.error.code === 'wrong-state' && result.error.height === 1);
  });

  it('is refused at its genesis, or from its first block on with another', () => {
    const broken = verified(chain.decided, chain.encodedGenesis.subarray(1));
    assert.ok(!broken.ok && broken.error.code === 'genesis-malformed');
    assert.equal(broken.error.height, 0);
    const another = encodeGenesis({ ...exampleGenesis({ operators: 1 }), clockToleranceMs: 501 });
    const result = verified(chain.decided, another);
    assert.ok(!result.ok && result.error.code === 'wrong-previous' && result.error.height === 1);
  });

  it('is refused at the height of any flipped bit', () => {
    fc.assert(
      fc.property(
        fc.nat(chain.decided.length - 1),
        fc.constantFrom('block', 'commit'),
        fc.nat(),
        fc.nat(7),
        (at, part, place, bit) => {
          const blocks = [...chain.decided];
          const bytes = Uint8Array.from(blocks[at]![part]);
          bytes[place % bytes.length]! ^= 1 << bit;
          blocks[at] = { ...blocks[at]!, [part]: bytes };
          const result = verified(blocks);
          assert.ok(!result.ok, `bit ${bit} of byte ${place % bytes.length} of the ${part}`);
          assert.equal(result.error.height, at + 1);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('executes to the same digests on a fresh view, whatever its transactions', () => {
    const kinds = ['a', 'b', 'c'].map(define);
    const step = fc.array(fc.tuple(fc.nat(4), fc.nat(2)), { maxLength: 4 });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 3 }), (steps) => {
        const made = new ExampleChain();
        const again = new ExampleChain();
        for (const senders of steps) {
          const sent = new Map<number, number>();
          const transactions = senders.map(([by, kind]) => {
            const signer = by === 4 ? operator(0) : node(by);
            const before = sent.get(by) ?? 0;
            sent.set(by, before + 1);
            const next = made.sign(signer, kinds[kind]!);
            const signerSequence = next.transaction.signerSequence + before;
            return made.sign(signer, kinds[kind]!, { signerSequence });
          });
          const staged = made.commit(...transactions);
          const decoded = decodeBlock(encodeBlock(staged.block));
          assert.ok(decoded.ok);
          const executed = executeBlock(again.chain, again.state, decoded.value, {
            verify: verifyOnce,
          });
          assert.ok(executed.ok);
          assert.equal(executed.value.hash, staged.hash);
          again.write(executed.value.writes);
          again.chain = executed.value.chain;
        }
        assert.deepEqual(again.state, made.state);
      }),
      { numRuns: 15 },
    );
  });

  /** The commit with the votes of that many validators who were there from the start. */
  function quorumOf(at: DecidedBlock, count: number): DecidedBlock {
    const old = [0, 1, 2, 3].map((n) => keyIdOf(member(n).publicKey) as string);
    return withVotes(at, (votes) =>
      votes.filter(({ voter }) => old.includes(voter)).slice(0, count),
    );
  }
});

describe('a commit', () => {
  it('is kept in order, without votes that do not verify', () => {
    const { value } = decodeCommit(chain.decided[0]!.commit) as { value: Commit };
    const votes = [...value.votes].reverse();
    const kept = canonicalCommit({ ...value, votes }, ({ voter }) => voter !== votes[1]!.voter);
    assert.equal(kept.votes.length, 3);
    assert.deepEqual(
      kept.votes.map(({ voter }) => voter),
      kept.votes.map(({ voter }) => voter).sort(),
    );
  });
});
