import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import { startLibp2pNetwork } from '#runtime/peers/libp2p-network.ts';
import {
  edgeName,
  type ForwardingNode,
  placeTwin,
  startForwardingNode,
} from './forwarding-node.fixture.ts';

const path = '/api/2/things/lab:mote-1';

describe('forwarding over libp2p', { timeout: 60_000 }, () => {
  const parts = new AsyncDisposableStack();
  let nodes: ForwardingNode[];

  before(async () => {
    const listen = ['/ip4/127.0.0.1/tcp/0'];
    const networks = await Promise.all(
      [1, 2].map(async (n) =>
        parts.use(
          await startLibp2pNetwork({ seed: new Uint8Array(32).fill(n), listen, clock, log }),
        ),
      ),
    );
    nodes = await Promise.all(
      networks.map(async (_, n) => parts.use(await startForwardingNode(n, networks))),
    );
    const peers = new Map(networks.map(({ self, addresses }) => [self, addresses]));
    for (const network of networks) network.setPeers(peers);
    while (networks.some((network) => network.connected().length === 0)) await sleep(10);
    placeTwin(nodes, 'mote-1', 1);
  });
  after(() => parts.disposeAsync());

  async function put(part: string, value: unknown): Promise<Response> {
    const headers = { 'Content-Type': 'application/json' };
    const init = { method: 'PUT', headers, body: JSON.stringify(value) };
    return await fetch(`${nodes[0]!.url}${path}${part}`, init);
  }

  it('brings the largest bodies there and back', async () => {
    assert.equal((await put('', {})).status, 201);
    const large = 'x'.repeat(255_000);
    assert.equal((await put('/attributes/large', large)).status, 201);
    const answer = await fetch(`${nodes[0]!.url}${path}/attributes/large`);
    assert.equal(await answer.json(), large);
    assert.equal(nodes[1]!.twins.get('mote-1')?.attributes.large, large);
    assert.equal((await put('/attributes/larger', 'x'.repeat(300_000))).status, 413);
  });

  it('waits longer for a device than a request between nodes may take', async () => {
    const url = `${nodes[0]!.url}${path}/inbox/messages/blink?timeout=20s`;
    const headers = { 'Content-Type': 'application/json' };
    const answer = await fetch(url, { method: 'POST', headers, body: '11000' });
    assert.deepEqual([answer.status, await answer.json()], [200, 'blink']);
  });

  it('says so once the other node is gone', async () => {
    await nodes[1]!.network[Symbol.asyncDispose]();
    while (nodes[0]!.network.connected().length > 0) await sleep(10);
    const answer = await fetch(`${nodes[0]!.url}${path}`);
    const { error, message } = (await answer.json()) as { error: string; message: string };
    assert.deepEqual([answer.status, error], [503, 'forwarding:away']);
    assert.ok(message.includes(edgeName(1)));
  });
});
