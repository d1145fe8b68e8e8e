import type { PeerKey } from '#runtime/peers/peer-network.ts';
import { readState, type StateView, type StateWrites } from '#shared/ledger/contract/state.ts';

/** Places that are remembered: a list of things asks for all of them. */
const PLACES_MAX = 50_000;

/**
 * Where the twins are and who the edge nodes are, as the ledger says. What was read once is
 * remembered; `committed` must be told of every block.
 */
export class EdgeMap {
  readonly #state: StateView;
  readonly #places = new Map<string, string | undefined>();
  #others: ReadonlyMap<string, PeerKey> | undefined;
  /** This node, as the ledger's members know it. */
  readonly self: string;

  constructor({ state, self }: { state: StateView; self: string }) {
    this.#state = state;
    this.self = self;
  }

  /** The ledger has changed so. */
  committed(writes: StateWrites): void {
    for (const key of writes.keys()) {
      if (key.startsWith('twin/')) this.#places.delete(key.slice('twin/'.length));
      else if (key.startsWith('list/') || key.startsWith('validator/')) this.#others = undefined;
    }
  }

  /** The edge node that a device's twin is at; `undefined` where no device ever came online. */
  placeOf(device: string): string | undefined {
    if (this.#places.has(device)) return this.#places.get(device);
    const place = readState(this.#state, 'twin', device)?.edge;
    if (this.#places.size >= PLACES_MAX) this.#places.clear();
    this.#places.set(device, place);
    return place;
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
    this.#others ??= this.#readOthers();
    return this.#others;
  }

  #readOthers(): ReadonlyMap<string, PeerKey> {
    const others = new Map<string, PeerKey>();
    for (const keyId of readState(this.#state, 'list', 'members') ?? []) {
      const entry = readState(this.#state, 'validator', keyId)?.entry;
      if (entry !== undefined && entry.name !== this.self) others.set(entry.name, entry.peer);
    }
    return others;
  }
}
