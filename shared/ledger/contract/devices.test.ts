import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type AccountSigner,
  accountIdOf,
  accountSignerOf,
  verifyAccountPortably,
} from '../../identity/account-key.ts';
import { applyTransaction } from '../apply-transaction.ts';
import {
  ExampleChain,
  exampleGenesis,
  member,
  operator,
  other,
  START_MS,
  seededP256Signer,
} from '../chain.fixture.ts';
import type { TransactionContent } from '../transaction.ts';
import { proveRotation } from './devices.ts';
import { readState } from './state.ts';
import { signWithVoucher } from './vouchers.ts';

const key = (n: number) => accountSignerOf(other(n));
const voucher = other(50);
const alone = exampleGenesis({ members: 1, operators: 1 });

/** An operator's enrolment. */
const enrolment = (signer: AccountSigner, replaces = false, device = 'mote-1') =>
  ({
    type: 'device.enrol',
    body: { device, key: signer.key, voucher: null, replaces },
  }) satisfies TransactionContent;

/** A device's own, with the voucher. */
function claim(
  signer: AccountSigner,
  { device = 'mote-1', replaces = false, chainId = 'site', by = voucher } = {},
) {
  const use = signWithVoucher(by, chainId, { device, key: signer.key });
  return {
    type: 'device.enrol',
    body: { device, key: signer.key, voucher: use, replaces },
  } satisfies TransactionContent;
}

const issue = (changes: object = {}) =>
  ({
    type: 'voucher.issue',
    body: {
      ...{ voucher: voucher.publicKey, device: null, uses: 1, notAfterMs: START_MS + 1000 },
      ...changes,
    },
  }) satisfies TransactionContent;

const suspend: TransactionContent = {
  type: 'device.suspend',
  body: { device: 'mote-1', reason: 'odd readings' },
};
const revoke: TransactionContent = {
  type: 'device.revoke',
  body: { device: 'mote-1', reason: 'stolen' },
};

function chainWith(...contents: TransactionContent[]): ExampleChain {
  const chain = new ExampleChain(alone);
  for (const content of contents) {
    assert.equal(chain.apply(operator(0), content).outcome, 'accepted');
  }
  return chain;
}

const outcome = (chain: ExampleChain, content: TransactionContent, by = operator(0)) =>
  chain.apply(by, content).outcome;

describe('devices', () => {
  it('are enrolled by an operator, with a key of either algorithm', () => {
    const chain = chainWith(enrolment(key(1)), enrolment(seededP256Signer(9), false, 'mote-2'));
    assert.equal(readState(chain.state, 'key', accountIdOf(key(1).key))?.device, 'mote-1');
    const p256 = readState(chain.state, 'device', 'mote-2');
    assert.equal(p256?.status, 'active');
    assert.equal(p256.key.algorithm, 'p256');
  });

  it('enrol themselves with a voucher as often as it is good for', () => {
    const chain = chainWith(issue({ uses: 2 }));
    assert.equal(outcome(chain, claim(key(1)), key(1)), 'accepted');
    const p256 = seededP256Signer(9);
    assert.equal(outcome(chain, claim(p256, { device: 'mote-2' }), p256), 'accepted');
    assert.equal(outcome(chain, claim(key(3), { device: 'mote-3' }), key(3)), 'voucher-spent');
    assert.equal(readState(chain.state, 'device', 'mote-3'), undefined);
  });

  it('get a new key after a loss, from an operator or with a voucher of their own', () => {
    const chain = chainWith(
      enrolment(key(1)),
      enrolment(key(2), true),
      issue({ device: 'mote-1' }),
    );
    assert.equal(readState(chain.state, 'key', accountIdOf(key(1).key)), undefined);
    assert.equal(outcome(chain, claim(key(3), { replaces: true }), key(3)), 'accepted');
    assert.equal(readState(chain.state, 'key', accountIdOf(key(2).key)), undefined);
    assert.equal(readState(chain.state, 'key', accountIdOf(key(3).key))?.device, 'mote-1');
  });

  it('rotate their key by proof of the new one', () => {
    const chain = chainWith(enrolment(key(1)));
    const next = seededP256Signer(9);
    const body = { device: 'mote-1', key: next.key };
    const proof = proveRotation(next, 'site', body);
    const rotation = { type: 'device.rotate', body: { ...body, proof } } as const;
    assert.equal(outcome(chain, rotation, key(1)), 'accepted');
    assert.deepEqual(readState(chain.state, 'device', 'mote-1')?.key, next.key);
    assert.equal(readState(chain.state, 'key', accountIdOf(key(1).key)), undefined);
  });

  it('come back from suspension or revocation by an operator alone', () => {
    for (const end of [suspend, revoke]) {
      const chain = chainWith(enrolment(key(1)), issue({ device: 'mote-1' }), end);
      const own = claim(key(2), { replaces: true });
      assert.equal(outcome(chain, own, key(2)), 'device-not-active');
      assert.equal(outcome(chain, enrolment(key(1), true)), 'accepted');
      assert.equal(readState(chain.state, 'device', 'mote-1')?.status, 'active');
    }
  });

  it('are not known by their key once revoked', () => {
    const chain = chainWith(enrolment(key(1)), revoke);
    const signed = chain.sign(key(1), { type: 'grant.remove', body: { grant: 'g' } });
    const context = { chainId: 'site', height: 1, timeMs: START_MS, verify: verifyAccountPortably };
    const applied = applyTransaction(chain.state, signed, context);
    assert.ok(!applied.ok && applied.error.code === 'unknown-key');
  });

  const rotation = (device: string, from: AccountSigner, chainId = 'site') =>
    ({
      type: 'device.rotate',
      body: {
        device,
        key: from.key,
        proof: proveRotation(from, chainId, { device, key: from.key }),
      },
    }) satisfies TransactionContent;
  const strange: TransactionContent = {
    type: 'device.suspend',
    body: { device: 'nobody', reason: 'x' },
  };
  for (const [code, content, by, before] of [
    ['device-exists', enrolment(key(2)), operator(0), [enrolment(key(1))]],
    ['unknown-device', enrolment(key(1), true), operator(0), []],
    ['key-taken', enrolment(key(1), false, 'mote-2'), operator(0), [enrolment(key(1))]],
    ['key-taken', enrolment(operator(0)), operator(0), []],
    ['key-taken', enrolment(accountSignerOf(member(0))), operator(0), []],
    ['voucher-for-another', claim(key(1)), key(1), [issue({ device: 'mote-2' })]],
    [
      'voucher-for-another',
      claim(key(2), { replaces: true }),
      key(2),
      [enrolment(key(1)), issue()],
    ],
    ['voucher-exists', issue(), operator(0), [issue()]],
    ['voucher-expired', issue({ notAfterMs: START_MS + 1 }), operator(0), []],
    ['not-permitted', issue(), accountSignerOf(member(0)), []],
    ['not-permitted', rotation('mote-2', key(2)), key(1), [enrolment(key(1))]],
    ['unchanged', rotation('mote-1', key(1)), key(1), [enrolment(key(1))]],
    ['wrong-proof', rotation('mote-1', key(2), 'another'), key(1), [enrolment(key(1))]],
    ['device-not-active', rotation('mote-1', key(2)), key(1), [enrolment(key(1)), suspend]],
    [
      'key-taken',
      rotation('mote-1', key(2)),
      key(1),
      [enrolment(key(1)), enrolment(key(2), false, 'mote-2')],
    ],
    ['unknown-device', strange, operator(0), []],
    ['unknown-device', { ...strange, type: 'device.revoke' }, operator(0), []],
    ['device-not-active', suspend, operator(0), [enrolment(key(1)), suspend]],
    ['device-not-active', revoke, operator(0), [enrolment(key(1)), revoke]],
    ['not-permitted', revoke, key(1), [enrolment(key(1))]],
  ] as [string, TransactionContent, AccountSigner, TransactionContent[]][]) {
    it(`refuse a ${content.type} with ${code}`, () => {
      assert.equal(outcome(chainWith(...before), content, by), code);
    });
  }

  it('refuse a voucher that is over', () => {
    const chain = chainWith(issue());
    const at = (timeMs: number) => chain.apply(key(1), claim(key(1)), { timeMs }).outcome;
    assert.equal(at(START_MS + 1001), 'voucher-expired');
    assert.equal(at(START_MS + 1000), 'accepted');
  });

  for (const [name, content] of [
    ['a voucher that was not issued', claim(key(1), { by: other(51) })],
    ['a voucher meant for another chain', claim(key(1), { chainId: 'another' })],
    [
      'a voucher meant for another key',
      { ...claim(key(2)), body: { ...claim(key(2)).body, key: key(1).key } },
    ],
    [
      'a voucher meant for another device',
      { ...claim(key(1)), body: { ...claim(key(1)).body, device: 'mote-9' } },
    ],
    ["another's key", claim(key(2))],
    ['no voucher', enrolment(key(1))],
  ] satisfies [string, TransactionContent][]) {
    it(`are unknown with ${name}`, () => {
      const chain = chainWith(issue());
      const context = { chainId: 'site', height: 1, timeMs: START_MS + 1 };
      const applied = applyTransaction(chain.state, chain.sign(key(1), content), {
        ...context,
        verify: verifyAccountPortably,
      });
      assert.ok(!applied.ok && applied.error.code === 'unknown-key');
    });
  }
});
