import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { accountIdOf } from '#shared/identity/account-key.ts';
import { operator } from '#shared/ledger/chain.fixture.ts';
import { signTransaction } from '#shared/ledger/transaction.ts';
import { Cluster } from '../ledger/ledger-cluster.fixture.ts';
import { apiOptions } from './api.fixture.ts';
import { type Api, createApi } from './api.ts';
import { createLedgerRoutes, type LedgerRoutesOptions } from './ledger-routes.ts';

const CBOR = { 'content-type': 'application/cbor' };

describe('the way to the ledger', { timeout: 40_000 }, () => {
  for (const [members, status, outcome] of [
    [1, 200, 'accepted'],
    [4, 202, 'pending'],
  ] as const) {
    it(`says "${outcome}" where one of ${members} is up, and the same again`, async () => {
      await using cluster = new Cluster(members);
      const { ledger } = cluster.start(0);
      const app = apiOf({ ledger, clock: systemClock, waitMs: 1000 / members });
      const body = await signed(cluster, app);
      for (const _ of [1, 2]) {
        const answer = await ask(app, '/transactions', { method: 'POST', headers: CBOR, body });
        assert.equal(answer.status, status);
        assert.equal(((await answer.json()) as { outcome: string }).outcome, outcome);
      }
    });
  }

  it('refuses what is none, with a code', async () => {
    await using cluster = new Cluster(1);
    const app = apiOf({ ledger: cluster.start(0).ledger, clock: systemClock });
    const sound = await signed(cluster, app);
    const foreign = await signed(cluster, app, 9);
    for (const [body, headers, status, error] of [
      [new Uint8Array(10), CBOR, 400, 'ledger:transaction-malformed'],
      [new Uint8Array(40_000), CBOR, 413, 'api:body.toolarge'],
      [sound, { 'content-type': 'text/plain' }, 415, 'api:mediatype.unsupported'],
      [foreign, CBOR, 409, 'ledger:unknown-key'],
    ] as const) {
      const answer = await ask(app, '/transactions', { method: 'POST', headers, body });
      assert.equal(answer.status, status);
      assert.equal(((await answer.json()) as { error: string }).error, error);
    }
    assert.equal((await ask(app, '/signers/nobody')).status, 404);
  });
});

function apiOf(options: LedgerRoutesOptions): Api {
  return createApi(apiOptions({ clock: systemClock }), createLedgerRoutes(options));
}

async function ask(app: Api, path: string, init: RequestInit = {}): Promise<Response> {
  const request = new Request(`http://localhost/api/ledger${path}`, init);
  return await app.fetch(request, { cutOff: () => undefined });
}

/** A transaction of an operator, with what the routes say is needed. */
async function signed(cluster: Cluster, app: Api, n = 0): Promise<Uint8Array<ArrayBuffer>> {
  const signer = operator(n);
  const answer = await ask(app, `/signers/${accountIdOf(signer.key)}`);
  const { chainId, height, nextSequence } = (await answer.json()) as {
    chainId: string;
    height: number;
    nextSequence: number;
  };
  assert.equal(height, 0);
  const place = { chainId, signerSequence: nextSequence, notAfterHeight: 100 };
  const encoded = signTransaction(cluster.transaction(), place, signer);
  assert.ok(encoded.ok);
  return Uint8Array.from(encoded.value.bytes);
}
