import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { Admission } from './admission.ts';
import { createDialler, type Dialler } from './dialler.ts';
import { abortConnection, closeConnection, endWith } from './end-connection.ts';
import { createOutgoingMessages, type OutgoingMessages, readMessages } from './message-stream.ts';
import { peerIdOf, peerKeyOf } from './peer-identity.ts';
import type { PeerKey, PeerLimits } from './peer-network.ts';

export interface LinkOptions {
  readonly node: Libp2p;
  readonly self: PeerKey;
  readonly admission: Admission;
  readonly limits: PeerLimits;
  readonly clock: Clock;
  readonly events: Events;
  onMessage(from: PeerKey, message: Uint8Array): void;
  /** The link can be sent on now; the peer's next link, if any, comes after `onDown`. */
  onUp(peer: PeerKey, connection: Connection): void;
  onDown(peer: PeerKey): void;
}

interface Link {
  readonly connection: Connection;
  readonly openedMs: number;
  /** Undefined until the peer has taken the stream. */
  outgoing: OutgoingMessages | undefined;
}

const MESSAGES = '/diten/messages/1';
/** Within this time two connections with one peer come of both having dialled. */
const CROSSED_DIAL_MS = 3000;
/** A link that held this long was a good one. */
const STEADY_MS = 2000;

/** One connection with each admitted peer, a stream for messages each way on it. */
export class PeerLinks {
  readonly #options: LinkOptions;
  readonly #dialler: Dialler;
  readonly #links = new Map<PeerKey, Link>();
  readonly #incoming = new Map<PeerKey, { stream: Stream; connection: Connection }>();
  #isClosed = false;

  constructor(options: LinkOptions) {
    const { node, admission } = options;
    this.#options = options;
    this.#dialler = createDialler({
      ...options,
      addressesOf: (peer) => {
        const isWanted = !this.#isClosed && !this.#links.has(peer) && admission.isAdmitted(peer);
        return isWanted ? (admission.peers.get(peer) ?? []) : [];
      },
    });
    node.addEventListener('connection:open', ({ detail }) => this.#opened(detail));
    node.addEventListener('connection:close', ({ detail }) => this.#closed(detail));
  }

  /** Takes the peers' messages from now on. */
  async listen(): Promise<void> {
    const { node } = this.#options;
    const take = (stream: Stream, connection: Connection) => this.#takeStream(stream, connection);
    // The next stream may come before the last one is seen to be closed.
    await node.handle(MESSAGES, take, { maxInboundStreams: 2, maxOutboundStreams: 2 });
  }

  connected(): readonly PeerKey[] {
    return [...this.#links].filter(([, { outgoing }]) => outgoing).map(([peer]) => peer);
  }

  /** The connection a peer can be sent to and asked on. */
  connectionOf(peer: PeerKey): Connection | undefined {
    const link = this.#links.get(peer);
    return link?.outgoing && link.connection;
  }

  /** Whether this connection is the one that counts. */
  isLinked(connection: Connection): boolean {
    const peer = peerKeyOf(connection.remotePeer);
    return peer !== undefined && this.#links.get(peer)?.connection === connection;
  }

  /** Undefined where the peer is not connected, false where its queue is full. */
  send(to: PeerKey, message: Uint8Array): boolean | undefined {
    return this.#links.get(to)?.outgoing?.send(message);
  }

  /** Brings the connections to what the admission allows. */
  update(): void {
    const { admission, node } = this.#options;
    for (const connection of node.getConnections()) {
      const peer = peerKeyOf(connection.remotePeer);
      if (peer === undefined || !admission.isAdmitted(peer)) {
        if (peer !== undefined) this.drop(peer, 'no longer admitted');
        abortConnection(connection, 'no longer admitted');
      }
    }
    for (const peer of admission.peers.keys()) {
      if (!this.#links.has(peer)) this.#dialler.want(peer);
    }
  }

  /** Closes all connections with the peer at once. */
  drop(peer: PeerKey, why: string): void {
    const { node, admission } = this.#options;
    if (!admission.isAdmitted(peer)) this.#dialler.forget(peer);
    const link = this.#links.get(peer);
    if (link !== undefined) this.#lose(peer, link);
    if (link !== undefined) abortConnection(link.connection, why);
    for (const connection of node.getConnections(peerIdOf(peer))) abortConnection(connection, why);
  }

  close(): void {
    this.#isClosed = true;
    this.#dialler.stop();
    for (const [peer, link] of [...this.#links]) this.#lose(peer, link);
  }

  #opened(connection: Connection): void {
    const { admission, self, clock } = this.#options;
    const peer = peerKeyOf(connection.remotePeer);
    if (peer === undefined || !admission.isAdmitted(peer) || this.#isClosed) {
      abortConnection(connection, 'not admitted');
      return;
    }
    const nowMs = clock.monotonicMs();
    const link = this.#links.get(peer);
    if (link?.connection.status === 'open') {
      const isCrossed =
        link.connection.direction !== connection.direction &&
        nowMs - link.openedMs < CROSSED_DIAL_MS;
      const isOurs = connection.direction === 'outbound';
      // Both ends keep the one that the lower key dialled; else the newer one: the other is dead.
      if (isCrossed && isOurs !== self < peer) {
        void closeConnection(connection);
        return;
      }
    }
    if (link !== undefined) {
      this.#lose(peer, link);
      void closeConnection(link.connection);
    }
    this.#dialler.forget(peer);
    void this.#adopt(peer, { connection, openedMs: nowMs, outgoing: undefined });
  }

  async #adopt(peer: PeerKey, link: Link): Promise<void> {
    const { events, limits, onUp } = this.#options;
    const { connection } = link;
    this.#links.set(peer, link);
    try {
      const stream = await connection.newStream(MESSAGES);
      if (this.#links.get(peer) !== link) return;
      link.outgoing = createOutgoingMessages(stream, limits);
      endWith(stream, connection, 'the stream of messages closed');
      onUp(peer, connection);
      const incoming = this.#incoming.get(peer)?.stream;
      if (incoming?.readStatus === 'paused') incoming.resume();
    } catch (error) {
      events.record('info', 'link-failed', { peer, error: `${error}` });
      abortConnection(connection, 'no stream for messages');
    }
  }

  #takeStream(stream: Stream, connection: Connection): void {
    const { admission, limits, events, onMessage } = this.#options;
    const from = peerKeyOf(connection.remotePeer);
    if (from === undefined || !admission.isAdmitted(from)) {
      stream.abort(new Error('not admitted'));
      return;
    }
    // A peer has one stream to send on, so an earlier one is dead.
    this.#incoming.get(from)?.stream.abort(new Error('replaced by a newer stream'));
    this.#incoming.set(from, { stream, connection });
    stream.addEventListener(
      'close',
      () => {
        if (this.#incoming.get(from)?.stream === stream) this.#incoming.delete(from);
      },
      { once: true },
    );
    // What comes before the peer can be answered waits.
    if (this.connectionOf(from) === undefined) stream.pause();
    readMessages(stream, {
      from,
      limits,
      events,
      onMessage: (message) => onMessage(from, message),
      onBreach: (code) => this.penalise(from, code),
    });
  }

  penalise(peer: PeerKey, code: string): void {
    const { admission, clock, events, limits } = this.#options;
    events.record('warn', code, { peer });
    admission.penalise(peer);
    this.drop(peer, code);
    clock.after(limits.penaltyMs + 1, () => {
      if (!this.#links.has(peer)) this.#dialler.want(peer);
    });
  }

  #closed(connection: Connection): void {
    const peer = peerKeyOf(connection.remotePeer);
    const link = peer && this.#links.get(peer);
    if (peer !== undefined && link?.connection === connection) this.#lose(peer, link);
  }

  #lose(peer: PeerKey, link: Link): void {
    this.#links.delete(peer);
    const incoming = this.#incoming.get(peer);
    if (incoming?.connection === link.connection) incoming.stream.abort(new Error('link lost'));
    const heldMs = this.#options.clock.monotonicMs() - link.openedMs;
    if (link.outgoing !== undefined && heldMs >= STEADY_MS) this.#dialler.reset(peer);
    if (link.outgoing !== undefined) this.#options.onDown(peer);
    this.#dialler.want(peer);
  }
}
