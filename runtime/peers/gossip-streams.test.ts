import assert from 'node:assert/strict';
import { it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { createGossipStreams } from './gossip-streams.ts';
import { createPeerNode } from './libp2p-node.ts';

const PROTOCOL = '/meshsub/1.2.0';
const open = async (seed: number) =>
  (
    await createPeerNode({
      seed: new Uint8Array(32).fill(seed),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      admits: () => true,
      onRefused: () => undefined,
    })
  ).node;

it('gossip gets no stream on a connection that was replaced while it was opened', async (test) => {
  const [near, far] = [await open(1), await open(2)];
  test.after(() => Promise.all([near.stop(), far.stop()]));
  await far.handle(PROTOCOL, () => undefined);
  const connection = await near.dial(multiaddr(`${far.getMultiaddrs()[0]}`));
  let isLinked = true;
  const streams = createGossipStreams({
    node: near,
    isLinked: () => isLinked,
    onBreach: () => assert.fail('nobody did wrong'),
  });
  const guarded = streams.guard(connection);
  const stream = await guarded.newStream(PROTOCOL);
  assert.equal(stream.status, 'open');
  const late = guarded.newStream(PROTOCOL);
  isLinked = false;
  await assert.rejects(late, /replaced/);
  // The connection itself is let out gracefully by whoever replaced it.
  assert.equal(connection.status, 'open');
  assert.equal(connection.streams.filter(({ status }) => status === 'open').length, 1);
});
