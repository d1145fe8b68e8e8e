import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { verifyAccountNatively } from '#runtime/identity/native-verification.ts';
import type { AccountSignedMessage } from '#shared/identity/account-key.ts';
import { operator } from '#shared/ledger/chain.fixture.ts';
import { createRememberingVerification } from './remembering-verification.ts';

describe('verification that remembers', () => {
  it('looks once at what is good, at each thing else again', () => {
    let looked = 0;
    const verify = createRememberingVerification((signed) => {
      looked++;
      return verifyAccountNatively(signed);
    });
    const { key, sign } = operator(0);
    const context = 'diten/ledger/transaction/v1';
    const message = Uint8Array.of(1, 2, 3);
    const good = { key, context, message, signature: sign(context, message) } as const;
    const others: AccountSignedMessage[] = [
      { ...good, message: Uint8Array.of(1, 2, 4) },
      { ...good, key: operator(1).key },
      { ...good, context: 'diten/ledger/vote/v1' },
      { ...good, signature: sign(context, Uint8Array.of(9)) },
    ];
    assert.ok(verify(good) && verify({ ...good }));
    assert.equal(looked, 1);
    for (const other of [...others, ...others]) assert.equal(verify(other), false);
    assert.equal(looked, 1 + 2 * others.length);
  });
});
