import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accountSignerOf } from '../../identity/account-key.ts';
import { digestOfPlain } from '../../identity/digest.ts';
import { keyIdOf } from '../../identity/keys.ts';
import {
  ExampleChain,
  exampleGenesis,
  member,
  operator,
  other,
  START_MS,
} from '../chain.fixture.ts';
import type { TransactionContent } from '../transaction.ts';
import type { BodyOf } from './contract-table.ts';
import { readState } from './state.ts';

const node = (n: number) => accountSignerOf(member(n));
const mote = accountSignerOf(other(1));
const task = digestOfPlain('task');
const another = digestOfPlain('another task');
const versionDigest = (round: number) => digestOfPlain(['version', round]);

const define = (name = task, model = 'onnx'): TransactionContent => ({
  type: 'task.define',
  body: { task: name, model: digestOfPlain(model) },
});
const place = (changes: object = {}): TransactionContent => ({
  type: 'twin.place',
  body: { device: 'mote-1', edge: 'edge-0', epoch: 1, ...changes },
});
const grant = (changes: object = {}): TransactionContent => ({
  type: 'grant.add',
  body: {
    ...{ grant: 'g', subject: 'mote-1', filter: 'diten/mote-1/#', actions: ['publish'] },
    ...{ notBeforeMs: 0, notAfterMs: START_MS + 1000, ...changes },
  },
});
const contribution = { device: 'mote-1', update: digestOfPlain('u'), sampleCount: 5 };
const version = (
  round: number,
  changes: Partial<BodyOf<'model.version'>> = {},
): TransactionContent => ({
  type: 'model.version',
  body: {
    ...{ task, round, digest: versionDigest(round) },
    parents: round === 0 ? [] : [versionDigest(round - 1)],
    contributions: round === 0 ? [] : [contribution],
    aggregator: keyIdOf(member(0).publicKey),
    ...{ rule: 'fedavg', metrics: { loss: '0.5' }, ...changes },
  },
});
const update = (changes: object = {}): TransactionContent => ({
  type: 'model.update',
  body: {
    ...{ task, round: 1, base: versionDigest(0), loss: '0.5' },
    ...{ ...contribution, ...changes },
  },
});
const suspend: TransactionContent = {
  type: 'device.suspend',
  body: { device: 'mote-1', reason: 'x' },
};

/** A chain with a device, its twin at edge-0, a task and the versions of rounds 0 and 1. */
function exampleChain(rounds = 2): ExampleChain {
  const chain = new ExampleChain(exampleGenesis({ members: 2, operators: 1 }));
  chain.enrol('mote-1', mote);
  const versions = Array.from({ length: rounds }, (_, round) => version(round));
  for (const content of [define(), ...versions, place()]) {
    assert.equal(chain.apply(node(0), content).outcome, 'accepted');
  }
  return chain;
}

describe('twins, grants and models', () => {
  it('follow each other', () => {
    const chain = exampleChain(1);
    assert.equal(chain.apply(node(0), update()).outcome, 'accepted');
    assert.equal(chain.apply(node(1), place({ edge: 'edge-1', epoch: 2 })).outcome, 'accepted');
    assert.deepEqual(readState(chain.state, 'twin', 'mote-1'), { edge: 'edge-1', epoch: 2 });
    assert.equal(chain.apply(node(0), version(1)).outcome, 'accepted');
    assert.deepEqual(readState(chain.state, 'task', task)?.latest, {
      ...{ round: 1, digest: versionDigest(1) },
    });
    assert.equal(readState(chain.state, 'version', `${task}/${versionDigest(1)}`)?.round, 1);
    const own = update({ round: 2, base: versionDigest(1) });
    assert.equal(chain.apply(mote, own).outcome, 'accepted');
  });

  it('keep the task that all work on', () => {
    const chain = exampleChain();
    assert.equal(chain.apply(node(0), define(another)).outcome, 'accepted');
    assert.equal(readState(chain.state, 'current', 'task'), another);
    assert.equal(chain.apply(node(0), define()).outcome, 'accepted');
    assert.equal(readState(chain.state, 'current', 'task'), task);
    assert.equal(readState(chain.state, 'task', task)?.latest?.round, 1);
  });

  it('keep the grants of a device', () => {
    const chain = exampleChain();
    const apply = (content: TransactionContent) => chain.apply(operator(0), content).outcome;
    assert.equal(apply(grant({ grant: 'b' })), 'accepted');
    assert.equal(apply(grant({ grant: 'a' })), 'accepted');
    assert.deepEqual(readState(chain.state, 'grants', 'mote-1'), ['a', 'b']);
    for (const name of ['a', 'b']) {
      assert.equal(apply({ type: 'grant.remove', body: { grant: name } }), 'accepted');
    }
    assert.equal(readState(chain.state, 'grants', 'mote-1'), undefined);
    for (let n = 0; n < 64; n++) assert.equal(apply(grant({ grant: `g-${n}` })), 'accepted');
    assert.equal(apply(grant({ grant: 'one-more' })), 'too-many-grants');
  });

  for (const [code, content, by] of [
    ['not-permitted', place({ epoch: 2 }), node(1)],
    ['not-permitted', place({ epoch: 2 }), operator(0)],
    ['epoch-not-next', place(), node(0)],
    ['epoch-not-next', place({ epoch: 3 }), node(0)],
    ['unknown-device', grant({ subject: 'nobody' }), operator(0)],
    ['grant-expired', grant({ notAfterMs: START_MS + 1 }), operator(0)],
    ['grant-expired', grant({ notBeforeMs: START_MS + 1000 }), operator(0)],
    ['not-permitted', grant(), node(0)],
    ['unknown-grant', { type: 'grant.remove', body: { grant: 'g' } }, operator(0)],
    ['duplicate-task', define(), node(1)],
    ['duplicate-task', define(task, 'another model'), node(1)],
    ['not-permitted', define(another), mote],
    ['unknown-task', version(0, { task: another }), node(0)],
    ['round-not-next', version(1), node(0)],
    ['round-not-next', version(3), node(0)],
    ['duplicate-version', version(2, { digest: versionDigest(0) }), node(0)],
    ['wrong-aggregator', version(2), node(1)],
    ['not-permitted', version(2), operator(0)],
    ['lineage-incomplete', version(2, { parents: [] }), node(0)],
    ['lineage-incomplete', version(2, { contributions: [] }), node(0)],
    ['unknown-parent', version(2, { parents: [versionDigest(2)] }), node(0)],
    [
      'duplicate-contribution',
      version(2, { contributions: [contribution, contribution] }),
      node(0),
    ],
    ['not-permitted', update({ round: 2, device: 'nobody' }), node(0)],
    ['not-permitted', update({ round: 2 }), node(1)],
    ['not-permitted', update({ round: 2 }), operator(0)],
    ['unknown-task', update({ task: another }), node(0)],
    ['round-not-next', update(), node(0)],
    ['unknown-base', update({ round: 2, base: versionDigest(2) }), node(0)],
  ] as const) {
    it(`refuse a ${content.type} with ${code}`, () => {
      assert.equal(exampleChain().apply(by, content).outcome, code);
    });
  }

  it('refuse what was there before', () => {
    const chain = exampleChain(1);
    const twice = (by: Parameters<typeof chain.apply>[0], content: TransactionContent) => [
      chain.apply(by, content).outcome,
      chain.apply(by, content).outcome,
    ];
    assert.deepEqual(twice(operator(0), grant()), ['accepted', 'grant-exists']);
    assert.deepEqual(twice(node(0), update()), ['accepted', 'duplicate-update']);
    const first = version(0, { task: another, contributions: [contribution] });
    chain.apply(node(0), define(another));
    assert.equal(chain.apply(node(0), first).outcome, 'lineage-incomplete');
  });

  it("take an edge node's word for a device that was never enrolled", () => {
    const chain = exampleChain();
    const guest = place({ device: 'guest' });
    assert.equal(chain.apply(node(0), guest).outcome, 'accepted');
    assert.equal(chain.apply(node(0), update({ round: 2, device: 'guest' })).outcome, 'accepted');
  });

  it('refuse a device that is suspended', () => {
    const chain = exampleChain();
    chain.apply(operator(0), suspend);
    for (const [by, content] of [
      [mote, update({ round: 2 })],
      [node(0), place({ epoch: 2 })],
      [operator(0), grant()],
    ] as const) {
      assert.equal(chain.apply(by, content).outcome, 'device-not-active');
    }
  });
});
