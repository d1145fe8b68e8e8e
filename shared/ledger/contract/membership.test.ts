import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accountIdOf, accountSignerOf } from '../../identity/account-key.ts';
import type { Digest } from '../../identity/digest.ts';
import { keyIdOf } from '../../identity/keys.ts';
import { ExampleChain, exampleGenesis, exampleMember, member, operator } from '../chain.fixture.ts';
import type { Validator } from '../genesis.ts';
import type { TransactionContent } from '../transaction.ts';
import { membersOf } from './membership.ts';
import { readState } from './state.ts';

const node = (n: number) => accountSignerOf(member(n));
const idOf = (n: number) => keyIdOf(member(n).publicKey);
const addMember = (n: number, changes: Partial<Validator> = {}): TransactionContent => ({
  type: 'validator.add',
  body: exampleMember(n, changes),
});
const removeMember = (n: number): TransactionContent => ({
  type: 'validator.remove',
  body: { keyId: idOf(n) },
});
const addOperator = (n: number): TransactionContent => ({
  type: 'operator.add',
  body: { key: operator(n).key },
});
const removeOperator = (n: number): TransactionContent => ({
  type: 'operator.remove',
  body: { keyId: accountIdOf(operator(n).key) },
});

/** What becomes of it at the hands of the first operator. */
const outcome = (chain: ExampleChain, content: TransactionContent) =>
  chain.apply(operator(0), content).outcome;

const alone = { members: 1, operators: 1 };

describe('membership', () => {
  it('changes by the approval of f + 1 of n operators, and can change again', () => {
    const chain = new ExampleChain();
    for (const by of [0, 1]) {
      assert.equal(membersOf(chain.state).length, 4);
      assert.equal(chain.apply(operator(by), addMember(4)).outcome, 'accepted');
    }
    assert.equal(membersOf(chain.state).length, 5);
    for (const by of [1, 2]) {
      assert.equal(chain.apply(operator(by), removeMember(4)).outcome, 'accepted');
    }
    assert.equal(membersOf(chain.state).length, 4);
    assert.ok(![...chain.state.keys()].some((key) => key.startsWith('approval/')));
    assert.equal(chain.apply(operator(0), addMember(4)).outcome, 'accepted');
    assert.equal(membersOf(chain.state).length, 4);
  });

  it('does not count the approval of an operator who was removed', () => {
    const chain = new ExampleChain(exampleGenesis({ operators: 7 }));
    for (const by of [0, 1]) chain.apply(operator(by), addMember(4));
    for (const by of [2, 3, 4]) chain.apply(operator(by), removeOperator(0));
    assert.equal(readState(chain.state, 'list', 'operators')?.length, 6);
    // Now two of six suffice; one of the two who approved is one no more, so the third completes.
    assert.equal(membersOf(chain.state).length, 4);
    chain.apply(operator(5), addMember(4));
    assert.equal(membersOf(chain.state).length, 5);
  });

  it('keeps since when a member votes', () => {
    const chain = new ExampleChain(exampleGenesis(alone));
    const since = () => readState(chain.state, 'validator', idOf(1))?.sinceHeight;
    const voters = () => readState(chain.state, 'roster', 'voters')?.sinceHeight;
    const at = (height: number, changes: Partial<Validator>) =>
      chain.apply(operator(0), addMember(1, changes), { height }).outcome;
    assert.equal(at(5, { weight: 0 }), 'accepted');
    assert.deepEqual([since(), voters()], [7, 1]);
    assert.equal(at(10, { weight: 1 }), 'accepted');
    assert.deepEqual([since(), voters()], [12, 12]);
    assert.equal(at(20, { weight: 2 }), 'accepted');
    assert.deepEqual([since(), voters()], [12, 22]);
    assert.equal(at(30, { weight: 2, addresses: [] }), 'accepted');
    assert.deepEqual([since(), voters()], [12, 22]);
    chain.apply(operator(0), removeMember(1), { height: 40 });
    assert.deepEqual([since(), voters()], [undefined, 42]);
  });

  it('is kept in order', () => {
    const chain = new ExampleChain(exampleGenesis(alone));
    for (const n of [3, 1, 2]) outcome(chain, addMember(n));
    for (const n of [3, 1, 2]) outcome(chain, addOperator(n));
    for (const list of ['members', 'operators']) {
      const ids = readState(chain.state, 'list', list)!;
      assert.deepEqual(ids, [...ids].sort());
    }
  });

  for (const [code, content] of [
    ['unchanged', addMember(0)],
    ['name-taken', addMember(1, { name: 'edge-0' })],
    ['key-taken', addMember(1, { peer: exampleMember(0).peer })],
    ['key-taken', addMember(1, { log: member(0).publicKey })],
    ['last-validator', addMember(0, { weight: 0 })],
    ['last-validator', removeMember(0)],
    ['unknown-validator', removeMember(1)],
    ['unchanged', addOperator(0)],
    ['unknown-operator', removeOperator(1)],
    ['last-operator', removeOperator(0)],
  ] as const) {
    it(`refuses a ${content.type} with ${code}`, () => {
      assert.equal(outcome(new ExampleChain(exampleGenesis(alone)), content), code);
    });
  }

  it('refuses a device key', () => {
    const chain = new ExampleChain(exampleGenesis(alone));
    chain.enrol('a', node(5));
    chain.enrol('b', operator(5));
    assert.equal(outcome(chain, addMember(5)), 'key-taken');
    assert.equal(outcome(chain, addOperator(5)), 'key-taken');
  });

  it('refuses with already-approved', () => {
    const chain = new ExampleChain();
    assert.equal(outcome(chain, addMember(4)), 'accepted');
    assert.equal(outcome(chain, addMember(4)), 'already-approved');
    assert.equal(outcome(chain, addMember(4, { weight: 2 })), 'accepted');
  });

  it('refuses too many', () => {
    const chain = new ExampleChain(exampleGenesis(alone));
    putMembers(chain, 32, 0);
    putMembers(chain, 29, 1);
    assert.equal(outcome(chain, addMember(1)), 'accepted');
    assert.equal(outcome(chain, addMember(2)), 'too-many-validators');
    assert.equal(outcome(chain, addMember(2, { weight: 0 })), 'accepted');
    assert.equal(outcome(chain, addMember(3, { weight: 0 })), 'too-many-validators');
    assert.equal(outcome(chain, addMember(2, { weight: 0, addresses: [] })), 'accepted');
    for (let n = 1; n < 16; n++) {
      for (let by = 0; by <= Math.floor((n - 1) / 3); by++) {
        assert.equal(chain.apply(operator(by), addOperator(n)).outcome, 'accepted');
      }
    }
    assert.equal(outcome(chain, addOperator(16)), 'too-many-operators');
  });

  it('leaves one who votes, whoever follows', () => {
    const chain = new ExampleChain(exampleGenesis(alone));
    assert.equal(outcome(chain, addMember(1, { weight: 0 })), 'accepted');
    assert.equal(outcome(chain, removeMember(0)), 'last-validator');
    assert.equal(outcome(chain, removeMember(1)), 'accepted');
    assert.equal(readState(chain.state, 'roster', 'voters')?.sinceHeight, 1);
  });

  it('is for operators', () => {
    const chain = new ExampleChain(exampleGenesis(alone));
    assert.equal(chain.apply(node(0), addMember(1)).outcome, 'not-permitted');
  });
});

/** Members put there by hand: making their keys takes long. */
function putMembers({ state }: ExampleChain, count: number, weight: number): void {
  const ids = Array.from(
    { length: count },
    (_, n) => `${weight}${`${n}`.padStart(63, '0')}` as Digest,
  );
  for (const id of ids) {
    const publicKey = id.slice(32) as Validator['publicKey'];
    const entry = { ...exampleMember(9), name: id, publicKey, weight };
    state.set(`validator/${id}`, { entry, sinceHeight: 1 });
  }
  state.set('list/members', [...readState(state, 'list', 'members')!, ...ids].sort());
}
