import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededSigner } from '../identity/seeded-signer.ts';
import { exampleGenesis, exampleMember, operator } from './chain.fixture.ts';
import { chainStateAtGenesis } from './chain-state.ts';
import { decodeGenesis, encodeGenesis, parseGenesis } from './genesis.ts';

const genesis = exampleGenesis({ members: 2, operators: 2 });

describe('a genesis', () => {
  it('is decoded as it was encoded', () => {
    assert.deepEqual(decodeGenesis(encodeGenesis(genesis)), { ok: true, value: genesis });
  });

  it('begins a chain that differs in all it says', () => {
    const { chain } = chainStateAtGenesis(genesis);
    assert.equal(chain.head.height, 0);
    assert.equal(chain.head.hash, chain.genesis);
    const another = chainStateAtGenesis({ ...genesis, operators: [operator(0).key] }).chain;
    assert.notEqual(another.head.hash, chain.head.hash);
    assert.notEqual(another.stateDigest, chain.stateDigest);
  });

  const [one, two] = [exampleMember(0), exampleMember(1)];
  const many = (count: number, weight: number) =>
    Array.from({ length: count }, (_, n) => ({
      ...exampleMember(0, { weight, name: `m-${n}` }),
      publicKey: seededSigner(n).publicKey,
      peer: seededSigner(64 + n).publicKey,
      cosigner: seededSigner(128 + n).publicKey,
      log: seededSigner(192 + n).publicKey,
    }));
  for (const [name, changes] of [
    ['no validators', { validators: [] }],
    ['followers only', { validators: [{ ...one, weight: 0 }] }],
    ['32 validators', { validators: many(32, 1) }],
    ['two of one name', { validators: [one, { ...two, name: one.name }] }],
    ['two of one key', { validators: [one, { ...two, log: one.peer }] }],
    ['a key in two roles', { validators: [{ ...one, log: one.peer }] }],
    ['an address with a peer id', { validators: [{ ...one, addresses: ['/ip4/1.2.3.4/p2p/x'] }] }],
    ['an address that is none', { validators: [{ ...one, addresses: ['1.2.3.4:80'] }] }],
    ['a negative weight', { validators: [{ ...one, weight: -1 }] }],
    ['no operators', { operators: [] }],
    ['an operator twice', { operators: [operator(0).key, operator(0).key] }],
    ['no tolerance', { clockToleranceMs: 0 }],
    ['an unknown field', { motto: 'x' }],
    ['another version', { v: 2 }],
  ] as const) {
    it(`is refused with ${name}`, () => {
      const parsed = parseGenesis({ ...genesis, ...changes });
      assert.ok(!parsed.ok && parsed.error.code === 'genesis-malformed');
    });
  }

  it('has 31 validators and followers beside them at most', () => {
    const validators = [...many(62, 0).slice(31), ...many(31, 1)];
    assert.ok(parseGenesis({ ...genesis, validators }).ok);
  });
});
