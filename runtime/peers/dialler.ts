import type { Libp2p } from '@libp2p/interface';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import { peerIdOf } from './peer-identity.ts';
import type { PeerKey, PeerLimits } from './peer-network.ts';

/** Dials peers until they are there: at once, then ever less often. */
export interface Dialler {
  /** The peer is wanted and not there; `addresses` are asked anew for each attempt. */
  want(peer: PeerKey): void;
  /** The peer is there, or wanted no more. */
  forget(peer: PeerKey): void;
  /** Its link held long enough for the next loss to count as the first. */
  reset(peer: PeerKey): void;
  stop(): void;
}

export interface DiallerOptions {
  readonly node: Libp2p;
  readonly self: PeerKey;
  readonly limits: PeerLimits;
  readonly clock: Clock;
  readonly events: Events;
  /** Empty where the peer is not to be dialled now. */
  addressesOf(peer: PeerKey): readonly string[];
}

/**
 * Waits between attempts double from `redialMsMin` to `redialMsMax`, each cut by up to half at
 * random. Of two peers that dial each other the one with the lower key goes first.
 */
export function createDialler(options: DiallerOptions): Dialler {
  const { node, self, limits, clock, events } = options;
  const attempts = new Map<PeerKey, number>();
  const waiting = new Map<PeerKey, () => void>();
  let isStopped = false;

  function waitMs(peer: PeerKey): number {
    const attempt = attempts.get(peer) ?? 0;
    if (attempt === 0 && self < peer) return 0;
    const longest = Math.min(limits.redialMsMax, limits.redialMsMin * 2 ** Math.min(attempt, 20));
    return longest * (0.5 + Math.random() / 2);
  }

  async function dial(peer: PeerKey): Promise<void> {
    attempts.set(peer, (attempts.get(peer) ?? 0) + 1);
    try {
      const addresses = options
        .addressesOf(peer)
        .flatMap((address) => parse(peer, address, events));
      // A connection that is there and not taken is on its way out: `force` makes another.
      await node.dial(addresses, { force: true });
    } catch (error) {
      events.record('info', 'dial-failed', { peer, error: `${error}` });
    }
    // It may have been closed before it was taken.
    if (waiting.has(peer)) again(peer);
  }

  function again(peer: PeerKey): void {
    if (isStopped) return;
    waiting.get(peer)?.();
    const cancel = clock.after(waitMs(peer), () => {
      if (options.addressesOf(peer).length === 0) waiting.delete(peer);
      else void dial(peer);
    });
    waiting.set(peer, cancel);
  }

  function forget(peer: PeerKey): void {
    waiting.get(peer)?.();
    waiting.delete(peer);
  }

  return {
    want(peer) {
      if (!waiting.has(peer) && options.addressesOf(peer).length > 0) again(peer);
    },
    forget,
    reset: (peer) => attempts.delete(peer),
    stop() {
      isStopped = true;
      for (const peer of [...waiting.keys()]) forget(peer);
    },
  };
}

function parse(peer: PeerKey, address: string, events: Events): Multiaddr[] {
  try {
    return [multiaddr(`${address}/p2p/${peerIdOf(peer)}`)];
  } catch (error) {
    events.record('warn', 'address-malformed', { peer, address, error: `${error}` });
    return [];
  }
}
