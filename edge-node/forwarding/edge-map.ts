import type { PeerKey } from '#runtime/peers/peer-network.ts';
import { readState, type StateView } from '#shared/ledger/contract/state.ts';

/** Where the twins are and who the edge nodes are, as the ledger says. */
export class EdgeMap {
  readonly #state: StateView;
  /** This node, as the ledger's members know it. */
  readonly self: string;

  constructor({ state, self }: { state: StateView; self: string }) {
    this.#state = state;
    this.self = self;
  }

  /** The edge node that a device's twin is at; `undefined` where no device ever came online. */
  placeOf(device: string): string | undefined {
    return readState(this.#state, 'twin', device)?.edge;
  }

  /** The other edge node that a device's twin is at, as long as it is a member. */
  elsewhere(device: string): string | undefined {
    const edge = this.placeOf(device);
    if (edge === undefined || edge === this.self) return undefined;
    return this.peerOf(edge) === undefined ? undefined : edge;
  }

  peerOf(edge: string): PeerKey | undefined {
    return this.others().get(edge);
  }

  edgeOf(peer: PeerKey): string | undefined {
    for (const [edge, key] of this.others()) if (key === peer) return edge;
    return undefined;
  }

  /** The peer key of every other edge node, by its name. */
  others(): ReadonlyMap<string, PeerKey> {
    const others = new Map<string, PeerKey>();
    for (const keyId of readState(this.#state, 'list', 'members') ?? []) {
      const entry = readState(this.#state, 'validator', keyId)?.entry;
      if (entry !== undefined && entry.name !== this.self) others.set(entry.name, entry.peer);
    }
    return others;
  }
}
