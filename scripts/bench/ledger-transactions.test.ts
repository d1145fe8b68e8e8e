import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accountSignerOf } from '#shared/identity/account-key.ts';
import { ExampleChain, member } from '#shared/ledger/chain.fixture.ts';
import { VersionStream } from './ledger-transactions.ts';

describe('the transactions of the ledger bench', () => {
  it('are of 1 KiB, and all accepted one after the other', () => {
    const chain = new ExampleChain();
    const stream = new VersionStream(accountSignerOf(member(0)), chain.genesis.chainId);
    stream.prepare(20);
    const transactions = Array.from({ length: 40 }, () => stream.next());
    const sizes = transactions.slice(2).map(({ bytes }) => bytes.length);
    assert.ok(Math.max(...sizes) <= 1024 && Math.min(...sizes) >= 1021, `${sizes}`);
    const { outcomes } = chain.commit(...transactions);
    assert.deepEqual(new Set(outcomes), new Set(['accepted']));
  });
});
