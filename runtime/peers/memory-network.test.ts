import { systemClock } from '#runtime/clock/system-clock.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { seededSigner } from '#shared/identity/seeded-signer.ts';
import { createMemoryNetwork } from './memory-network.ts';
import { peerNetworkContract } from './peer-network.contract.ts';
import type { PeerLimits, PeerNetwork } from './peer-network.ts';

peerNetworkContract('in memory', async () => {
  const hub = createMemoryNetwork();
  const nodes: PeerNetwork[] = [];
  const join = (number: number, limits: Partial<PeerLimits> = {}) => {
    const key = seededSigner(number).publicKey;
    const node = hub.join({ key, clock: systemClock, log: silentLog, limits });
    nodes.push(node);
    return node;
  };
  return {
    start: async (number, limits) => join(number, limits),
    async startDeaf(number) {
      const node = join(number);
      hub.setDeaf(node.self, true);
      node.setPeers(new Map(nodes.map(({ self }) => [self, []])));
      return node;
    },
    async [Symbol.asyncDispose]() {
      for (const node of nodes) await node[Symbol.asyncDispose]();
    },
  };
});
