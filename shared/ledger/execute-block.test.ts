import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accountSignerOf } from '../identity/account-key.ts';
import { digestOfPlain } from '../identity/digest.ts';
import { keyIdOf } from '../identity/keys.ts';
import { type BlockHeader, decodeBlock, encodeBlock } from './block.ts';
import {
  ExampleChain,
  exampleGenesis,
  exampleMember,
  member,
  operator,
  verifyOnce,
} from './chain.fixture.ts';
import { executeBlock, stageBlock } from './execute-block.ts';
import type { TransactionContent } from './transaction.ts';

const node = (n: number) => accountSignerOf(member(n));
const verification = { verify: verifyOnce };

describe('a block', () => {
  it('comes to the same wherever it is executed, out of its bytes', () => {
    const chain = new ExampleChain();
    const other = new ExampleChain();
    for (let round = 0; round < 3; round++) {
      const staged = chain.commit(
        chain.sign(node(0), define(`a${round}`)),
        chain.sign(node(1), define(`b${round}`)),
      );
      const decoded = decodeBlock(encodeBlock(staged.block));
      assert.ok(decoded.ok);
      const executed = executeBlock(other.chain, other.state, decoded.value, verification);
      assert.ok(executed.ok);
      assert.deepEqual(executed.value, staged);
      other.write(executed.value.writes);
      other.chain = executed.value.chain;
    }
    assert.deepEqual(other.chain, chain.chain);
    assert.deepEqual(other.state, chain.state);
    assert.equal(chain.chain.log.size, 6);
  });

  it('records what is rejected, and uses its sequence', () => {
    const chain = new ExampleChain();
    const task = define('task');
    const first = chain.sign(node(0), task);
    const again = chain.sign(node(1), task);
    const { outcomes } = chain.commit(first, again);
    assert.deepEqual(outcomes, ['accepted', 'duplicate-task']);
    const late = chain.sign(node(1), define('late'), { notAfterHeight: 1 });
    assert.equal(late.transaction.signerSequence, 2);
    assert.deepEqual(chain.commit(late).outcomes, ['expired']);
  });

  it('leaves out what is not includable, and says why', () => {
    const chain = new ExampleChain();
    const transactions = [
      chain.sign(node(0), define('a')),
      chain.sign(node(0), define('b')),
      chain.sign(node(0), define('c'), { signerSequence: 3 }),
      chain.sign(node(9), define('d')),
      chain.sign(node(1), define('e')),
    ];
    const { staged, dropped } = stage(chain, transactions);
    assert.deepEqual(staged.outcomes, ['accepted', 'accepted']);
    assert.deepEqual(
      dropped.map(({ code, digest }) => [code, digest]),
      [
        ['stale-sequence', transactions[1]!.digest],
        ['sequence-gap', transactions[2]!.digest],
        ['unknown-key', transactions[3]!.digest],
      ],
    );
  });

  it('holds no more than its limits', () => {
    const chain = new ExampleChain();
    const small = Array.from({ length: 1001 }, (_, i) =>
      chain.sign(quick(0), define(`small ${i}`), { signerSequence: i + 1 }),
    );
    assert.equal(stage(chain, small).staged.block.transactions.length, 1000);
    const large = Array.from({ length: 60 }, (_, i) =>
      chain.sign(quick(0), version(i), { signerSequence: i + 1 }),
    );
    const { staged, dropped } = stage(chain, large);
    const bytes = encodeBlock(staged.block);
    assert.ok(bytes.length <= 2 ** 20 && bytes.length > 2 ** 20 - 34_000, `${bytes.length}`);
    assert.ok(decodeBlock(bytes).ok);
    assert.deepEqual(dropped, []);
  });

  it('is no earlier than the first millisecond after the head', () => {
    const chain = new ExampleChain();
    assert.equal(stage(chain, [], -5).staged.block.header.timeMs, chain.chain.head.timeMs + 1);
  });

  const digest = digestOfPlain('another');
  for (const [code, changes] of [
    ['wrong-chain', { chainId: 'another' }],
    ['wrong-height', { height: 3 }],
    ['wrong-previous', { previous: digest }],
    ['time-not-after', { timeMs: exampleGenesis().timeMs }],
    ['unknown-proposer', { proposer: digest }],
    ['unknown-proposer', { proposer: keyIdOf(member(4).publicKey) }],
    ['wrong-validators', { validators: digest }],
    ['wrong-validators', { nextValidators: digest }],
    ['wrong-transactions', { transactions: digest }],
    ['wrong-state', { state: digest }],
    ['wrong-log', { logSize: 2 }],
    ['wrong-log', { logRoot: digest }],
  ] satisfies [string, Partial<BlockHeader>][]) {
    it(`is refused with ${code} for ${Object.keys(changes)}`, () => {
      const genesis = exampleGenesis();
      genesis.validators.push(exampleMember(4, { weight: 0 }));
      const chain = new ExampleChain(genesis);
      const { block } = stage(chain, [chain.sign(node(0), define('a'))]).staged;
      const header = { ...block.header, ...changes };
      const executed = executeBlock(chain.chain, chain.state, { ...block, header }, verification);
      assert.ok(!executed.ok);
      assert.equal(executed.error.code, code);
    });
  }

  it('is refused for a transaction that is signed by another, unless that was checked', () => {
    const chain = new ExampleChain();
    const forged = chain.sign({ ...node(0), sign: node(1).sign }, define('a'));
    const { block } = stage(chain, [forged]).staged;
    const refused = executeBlock(chain.chain, chain.state, block, verification);
    assert.ok(!refused.ok);
    assert.equal(refused.error.code, 'transaction-not-includable');
    assert.match(refused.error.message, /transaction 0: wrong-signature/);
    const isVerified = (digest: string) => digest === forged.digest;
    assert.ok(executeBlock(chain.chain, chain.state, block, { ...verification, isVerified }).ok);
  });

  it('is refused where a transaction comes a second time', () => {
    const chain = new ExampleChain();
    const once = chain.sign(node(0), define('a'));
    const { block } = stage(chain, [once]).staged;
    const transactions = [once, once];
    const header = {
      ...block.header,
      transactions: digestOfPlain([once.digest, once.digest]),
    };
    const twice = executeBlock(chain.chain, chain.state, { header, transactions }, verification);
    assert.ok(!twice.ok && /transaction 1: stale-sequence/.test(twice.error.message));
    chain.commit(once);
    assert.equal(stage(chain, [once]).dropped[0]?.code, 'stale-sequence');
  });

  it('has one encoding, and no other bytes are it', () => {
    const chain = new ExampleChain();
    const { block } = stage(chain, [chain.sign(node(0), define('a'))]).staged;
    const bytes = encodeBlock(block);
    assert.ok(!decodeBlock(Uint8Array.of(...bytes, 0)).ok);
    assert.ok(!decodeBlock(bytes.subarray(0, -1)).ok);
    const large = decodeBlock(new Uint8Array(2 ** 20 + 1));
    assert.ok(!large.ok && /larger than 1048576 bytes/.test(large.error.message));
    assert.ok(!decodeBlock(encodeBlock({ ...block, header: { ...block.header, height: 0 } })).ok);
  });

  it('takes from a cache what was decoded before', () => {
    const chain = new ExampleChain();
    const transaction = chain.sign(node(0), define('a'));
    const { block } = stage(chain, [transaction]).staged;
    const decoded = decodeBlock(encodeBlock(block), {
      known: (digest) => (digest === transaction.digest ? transaction : undefined),
    });
    assert.ok(decoded.ok);
    assert.equal(decoded.value.transactions[0], transaction);
  });
});

describe('a change of the validators', () => {
  it('takes effect two heights on', () => {
    const chain = new ExampleChain();
    const body = exampleMember(4, { weight: 3 });
    const approvals = [0, 1].map((n) => chain.sign(operator(n), { type: 'validator.add', body }));
    const { chain: after1, block: block1 } = chain.commit(...approvals);
    assert.equal(after1.roster.members.length, 4);
    assert.equal(after1.nextRoster.members.length, 5);
    assert.equal(block1.header.validators, block1.header.nextValidators);
    const { block: block2 } = chain.commit();
    assert.equal(block2.header.validators, block1.header.validators);
    assert.notEqual(block2.header.nextValidators, block1.header.validators);
    assert.equal(chain.chain.roster.validators.totalWeight, 7);
    const { block: block3 } = chain.commit(chain.sign(node(4), define('by the new one')));
    assert.equal(block3.header.validators, block2.header.nextValidators);
    assert.equal(chain.staged[2]!.chain.roster, chain.staged[1]!.chain.roster);
  });
});

function stage(
  chain: ExampleChain,
  transactions: Parameters<typeof stageBlock>[2]['transactions'],
  afterMs = 10,
) {
  return stageBlock(chain.chain, chain.state, {
    transactions,
    timeMs: chain.chain.head.timeMs + afterMs,
    proposer: keyIdOf(member(0).publicKey),
    verify: verifyOnce,
  });
}

/** Signs in no time what staging does not check. */
function quick(n: number) {
  const signature = node(n).sign('diten/ledger/transaction/v1', new Uint8Array());
  return { key: node(n).key, sign: () => signature };
}

function define(name: string): TransactionContent {
  return {
    type: 'task.define',
    body: { task: digestOfPlain(name), model: digestOfPlain('onnx') },
  };
}

/** Some 30,000 bytes, and rejected. */
function version(round: number): TransactionContent {
  const contributions = Array.from({ length: 170 }, (_, i) => ({
    ...{ device: `${'d'.repeat(50)}-${i}`, update: digestOfPlain(i), sampleCount: 100 },
  }));
  const task = digestOfPlain('task');
  return {
    type: 'model.version',
    body: {
      ...{ task, round, digest: digestOfPlain(round), parents: [], contributions },
      ...{ aggregator: keyIdOf(member(0).publicKey), rule: 'fedavg', metrics: {} },
    },
  };
}
