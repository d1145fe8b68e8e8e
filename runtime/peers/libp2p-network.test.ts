import type { Libp2p } from '@libp2p/interface';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { startLibp2pNetwork } from './libp2p-network.ts';
import { createPeerNode } from './libp2p-node.ts';
import { peerKeyOf } from './peer-identity.ts';
import { peerNetworkContract } from './peer-network.contract.ts';
import type { PeerNetwork } from './peer-network.ts';

const seedOf = (number: number) => new Uint8Array(32).fill(number);

peerNetworkContract('libp2p', async () => {
  const nodes: PeerNetwork[] = [];
  const raw: Libp2p[] = [];
  const places = new Map<number, readonly string[]>();
  return {
    async start(number, limits = {}) {
      const node = await startLibp2pNetwork({
        seed: seedOf(number),
        listen: places.get(number) ?? ['/ip4/127.0.0.1/tcp/0'],
        limits,
        clock: systemClock,
        log: silentLog,
      });
      places.set(number, node.addresses);
      nodes.push(node);
      return node;
    },
    async startDeaf(number) {
      const { node } = await createPeerNode({
        seed: seedOf(number),
        listen: ['/ip4/127.0.0.1/tcp/0'],
        admits: () => true,
        onRefused: () => undefined,
      });
      await node.handle('/diten/messages/1', (stream) => stream.pause());
      raw.push(node);
      const [address] = `${node.getMultiaddrs()[0]}`.split('/p2p/');
      return { self: peerKeyOf(node.peerId)!, addresses: [address!] };
    },
    async [Symbol.asyncDispose]() {
      for (const node of nodes) await node[Symbol.asyncDispose]();
      for (const node of raw) await node.stop();
    },
  };
});
