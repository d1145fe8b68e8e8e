import { PeerError, type PeerKey, type PeerNetwork } from './peer-network.ts';

/** The network of a node that has no peers: nobody is connected, nothing arrives. */
export function createNoNetwork(self: PeerKey): PeerNetwork {
  const nothing = () => undefined;
  return {
    self,
    addresses: [],
    setPeers: nothing,
    connected: () => [],
    onConnection: nothing,
    send: () => false,
    onMessage: nothing,
    async request(to) {
      throw new PeerError('peer-not-connected', `this node has no peers, so not ${to}`);
    },
    answer: nothing,
    publish: async () => undefined,
    subscribe: nothing,
    penalise: nothing,
    counters: () => ({}),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
