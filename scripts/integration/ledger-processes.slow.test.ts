import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connectPacket } from '#edge-node/broker/raw-client.ts';
import { keyIdOf, type PublicKey } from '#shared/identity/keys.ts';
import type { TransactionContent } from '#shared/ledger/transaction.ts';
import { anyTransaction } from './ledger-members.fixture.ts';
import { type EdgeProcess, LedgerProcesses } from './ledger-processes.fixture.ts';

const DITEN = fileURLToPath(new URL('../diten.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'diten-processes-'));
after(() => rmSync(folder, { recursive: true, maxRetries: 5 }));

let chain: LedgerProcesses;
let edges: readonly EdgeProcess[];
const submit = (content: TransactionContent) => edges[0]!.submit(content, chain.operatorKey);

before(async () => {
  chain = await LedgerProcesses.create(folder, 4);
  edges = chain.edges;
  await chain.startAll();
});
after(() => chain[Symbol.asyncDispose]());

describe('an operator', { timeout: 120_000 }, () => {
  it('submits by command, and hears what became of it', () => {
    const say = (...args: string[]) =>
      spawnSync(
        process.execPath,
        [DITEN, 'ledger', 'submit', ...args, '--url', edges[0]!.url, '--key', chain.operatorKey],
        { encoding: 'utf8', timeout: 20_000 },
      );
    const publicKey = edgeKey(edges[0]!);
    const key = { algorithm: 'ed25519', publicKey };
    const body = { device: 'd-1', key, voucher: null, replaces: false };
    // A validator's own key is no device's.
    const refused = say('device.enrol', JSON.stringify(body));
    assert.match(refused.stderr, /\[transaction-refused\]/);
    assert.match(refused.stderr, /ledger:key-taken/);
    assert.equal(refused.status, 1);
    const malformed = say('device.enrol', '{"device":"d-1"}');
    assert.match(malformed.stderr, /\[transaction-malformed\]/);
    assert.equal(malformed.status, 2);
    const task = JSON.stringify((anyTransaction() as { body: object }).body);
    const taken = say('task.define', task);
    assert.equal(taken.status, 0, taken.stderr);
    assert.match(taken.stdout, /accepted at height \d+/);
  });

  it('revokes a device, whose connection ends', async (test) => {
    const latenciesMs: number[] = [];
    const name = 'mote-1';
    const [edge] = [edges[3]!];
    for (let run = 0; run < 20; run++) {
      const key = { algorithm: 'ed25519', publicKey: DEVICE_KEY } as const;
      const body = { device: name, key, voucher: null, replaces: run > 0 };
      assert.equal((await submit({ type: 'device.enrol', body })).outcome, 'accepted');
      const device = connect(edge.ports.mqtt, '127.0.0.1');
      device.on('error', () => undefined);
      await edge.until(() => true);
      device.write(connectPacket({ clientId: name, username: '0123456789abcdef' }));
      const [connack] = (await once(device, 'data')) as [Buffer];
      assert.equal(connack[3], 0);
      const closed = once(device, 'close');
      const startMs = performance.now();
      const reason = 'a test';
      await submit({ type: 'device.revoke', body: { device: name, reason } });
      await closed;
      latenciesMs.push(performance.now() - startMs);
    }
    latenciesMs.sort((a, b) => a - b);
    const at = (share: number) => latenciesMs[Math.floor(share * latenciesMs.length)]!.toFixed(0);
    test.diagnostic(`revocation to disconnect: p50 ${at(0.5)} ms, most ${at(0.99)} ms`);
  });

  it('adds a fifth node, which votes, and removes it, whom nobody hears then', async () => {
    const fifth = await chain.another('edge-5');
    const member = chain.memberOf(fifth);
    fifth.start();
    await fifth.until(({ ledger }) => ledger.peers === 0);
    assert.equal((await submit({ type: 'validator.add', body: member })).outcome, 'accepted');
    await fifth.until(({ ledger }) => ledger.peers === 4 && ledger.signing === 'signing');
    await chain.agree([...edges, fifth]);
    const keyId = keyIdOf(member.publicKey);
    assert.equal((await submit({ type: 'validator.remove', body: { keyId } })).outcome, 'accepted');
    for (const edge of edges) await edge.until(({ ledger }) => ledger.peers === 3);
    await edges[0]!.until(({ peers }) => (peers['stranger-refused'] ?? 0) > 0);
    await chain.agree();
  });
});

const DEVICE_KEY = '3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29' as PublicKey;

function edgeKey(edge: EdgeProcess): string {
  return chain.memberOf(edge).publicKey;
}
