import type { PeerKey } from '#runtime/peers/peer-network.ts';

/** Of each peer: a proposal with the largest block, and the votes and certificates around it. */
const COUNT_MAX = 64;
const SIZE_BYTES_MAX = 2 * 1_114_112;

interface Waiting {
  readonly frames: Uint8Array[];
  sizeBytes: number;
}

/** Frames that came before their time, unread, the first of each peer up to a limit. */
export class EarlyMessages {
  #peers = new Map<PeerKey, Waiting>();

  get size(): number {
    return this.#peers.size;
  }

  /** The peers that have something waiting. */
  peers(): Iterable<PeerKey> {
    return this.#peers.keys();
  }

  /** False where the peer has too much waiting. */
  put(from: PeerKey, frame: Uint8Array): boolean {
    const waiting = this.#peers.get(from) ?? { frames: [], sizeBytes: 0 };
    if (waiting.frames.length >= COUNT_MAX) return false;
    if (waiting.sizeBytes + frame.length > SIZE_BYTES_MAX) return false;
    waiting.frames.push(frame);
    waiting.sizeBytes += frame.length;
    this.#peers.set(from, waiting);
    return true;
  }

  forget(peer: PeerKey): void {
    this.#peers.delete(peer);
  }

  /** All that waits, peer by peer; nothing waits afterwards. */
  takeAll(): [PeerKey, Uint8Array][] {
    const all = [...this.#peers].flatMap(([peer, { frames }]) =>
      frames.map((frame): [PeerKey, Uint8Array] => [peer, frame]),
    );
    this.#peers = new Map();
    return all;
  }
}
