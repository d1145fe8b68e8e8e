import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Libp2p } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { ProgramError } from '#runtime/process/program-error.ts';
import { createPeerNode } from './libp2p-node.ts';
import { until } from './peer-bench.ts';

const open = async (seed: number, admits: boolean, listen = '/ip4/127.0.0.1/tcp/0') => {
  let refused = 0;
  let opened = 0;
  const { node } = await createPeerNode({
    seed: new Uint8Array(32).fill(seed),
    listen: [listen],
    admits: () => admits,
    onRefused: () => refused++,
  });
  node.addEventListener('connection:open', () => opened++);
  return { node, counts: () => ({ refused, opened }) };
};
const dial = (from: Libp2p, to: Libp2p) =>
  from.dial(multiaddr(`${to.getMultiaddrs()[0]}`)).catch((error: Error) => error);

it('a node refuses a stranger before there is a connection, whoever dials', async () => {
  const strict = await open(1, false);
  const other = await open(2, true);
  await dial(other.node, strict.node);
  await until(() => strict.counts().refused === 1);
  await dial(strict.node, other.node);
  await until(() => strict.counts().refused === 2);
  assert.equal(strict.counts().opened, 0);
  await strict.node.stop();
  await other.node.stop();
});

it('a node says where it cannot listen', async () => {
  const { node } = await open(1, true);
  const taken = `${node.getMultiaddrs()[0]}`.split('/p2p/')[0]!;
  await assert.rejects(
    open(2, true, taken),
    (error) =>
      error instanceof ProgramError &&
      error.code === 'peers-unlistenable' &&
      error.message.includes(taken) &&
      !error.message.includes('\n'),
  );
  await node.stop();
});
