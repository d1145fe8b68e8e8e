import type { Clock } from '#runtime/clock/clock.ts';
import { createEvents, type Events } from '#runtime/observe/events.ts';
import type { Log } from '#runtime/observe/log.ts';
import { digestOf } from '#shared/identity/digest.ts';
import { type Admission, createAdmission } from './admission.ts';
import {
  type Answers,
  createAnswers,
  type PeerRequest,
  type Reply,
  refusalToError,
} from './answers.ts';
import {
  type Lane,
  PeerError,
  type PeerKey,
  type PeerLimits,
  type PeerNetwork,
  peerLimits,
  type Verdict,
} from './peer-network.ts';
import { createSendQueue, type SendQueue } from './send-queue.ts';

export interface MemoryNodeOptions {
  readonly key: PeerKey;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<PeerLimits>;
}

/** Nodes of one process that reach each other without sockets, for the tests of what uses them. */
export interface MemoryNetwork {
  /** Starts a node; its address is `/memory/<key>`. */
  join(options: MemoryNodeOptions): PeerNetwork;
  /** Takes the link between two nodes away, or brings it back. */
  setLink(a: PeerKey, b: PeerKey, isUp: boolean): void;
  /** A node that is deaf stays connected and reads nothing. */
  setDeaf(key: PeerKey, isDeaf: boolean): void;
}

/** Delivers in turns of the event loop, never within the sender's call. */
export function createMemoryNetwork(): MemoryNetwork {
  const hub = new Hub();
  return {
    join(options) {
      const node = new MemoryNode(hub, options);
      hub.add(node);
      return node;
    },
    setLink(a, b, isUp) {
      hub.setLink(a, b, isUp);
    },
    setDeaf(key, isDeaf) {
      if (isDeaf) hub.deaf.add(key);
      else hub.deaf.delete(key);
      hub.wake(key);
    },
  };
}

class Hub {
  readonly nodes = new Map<PeerKey, MemoryNode>();
  readonly deaf = new Set<PeerKey>();
  readonly #cut = new Set<string>();

  add(node: MemoryNode): void {
    this.nodes.get(node.self)?.leave();
    this.nodes.set(node.self, node);
  }

  setLink(a: PeerKey, b: PeerKey, isUp: boolean): void {
    const link = [a, b].sort().join();
    if (isUp) this.#cut.delete(link);
    else this.#cut.add(link);
    this.settle(a, b);
  }

  /** Brings the two ends of a link to what both allow. */
  settle(a: PeerKey, b: PeerKey): void {
    const [one, other] = [this.nodes.get(a), this.nodes.get(b)];
    const isUp = this.#isPossible(one, other) && !this.#cut.has([a, b].sort().join());
    one?.setConnected(b, isUp);
    other?.setConnected(a, isUp);
  }

  wake(key: PeerKey): void {
    for (const node of this.nodes.values()) node.wake(key);
  }

  #isPossible(one: MemoryNode | undefined, other: MemoryNode | undefined): boolean {
    if (one === undefined || other === undefined) return false;
    const mayDial = one.addressesOf(other.self) + other.addressesOf(one.self) > 0;
    const knocks = (from: MemoryNode, to: MemoryNode) =>
      from.admits(to.self) && from.addressesOf(to.self) > 0 && !to.admits(from.self);
    if (knocks(one, other)) other.events.record('warn', 'stranger-refused', { peer: one.self });
    if (knocks(other, one)) one.events.record('warn', 'stranger-refused', { peer: other.self });
    return mayDial && one.admits(other.self) && other.admits(one.self);
  }
}

interface Link {
  readonly queues: Readonly<Record<Lane, SendQueue>>;
  /** What ends the requests under way on it. */
  readonly interrupt: (() => void)[];
}

type Topic = (from: PeerKey, body: Uint8Array) => Verdict;
type MessageHandler = (from: PeerKey, message: Uint8Array) => void;

class MemoryNode implements PeerNetwork {
  readonly self: PeerKey;
  readonly addresses: readonly string[];
  readonly events: Events;
  readonly #hub: Hub;
  readonly #clock: Clock;
  readonly #limits: PeerLimits;
  readonly #admission: Admission;
  readonly #answers: Answers;
  readonly #links = new Map<PeerKey, Link>();
  readonly #scheduled = new Set<PeerKey>();
  readonly #topics = new Map<string, Topic>();
  readonly #seenMs = new Map<string, number>();
  readonly #connectionHandlers: ((peer: PeerKey, isConnected: boolean) => void)[] = [];
  readonly #messageHandlers = new Map<Lane, MessageHandler[]>();
  #isClosed = false;
  #sent = 0;
  #received = 0;

  constructor(hub: Hub, options: MemoryNodeOptions) {
    this.self = options.key;
    this.addresses = [`/memory/${options.key}`];
    this.events = createEvents(options.log, options.clock);
    this.#hub = hub;
    this.#clock = options.clock;
    this.#limits = { ...peerLimits, ...options.limits };
    this.#admission = createAdmission(options.key, options.clock, this.#limits.penaltyMs);
    this.#answers = createAnswers({
      ...{ limits: this.#limits, events: this.events },
      onBreach: (peer, code) => this.penalise(peer, code),
    });
  }

  addressesOf(peer: PeerKey): number {
    return this.#admission.peers.get(peer)?.length ?? 0;
  }

  admits(peer: PeerKey): boolean {
    return !this.#isClosed && this.#admission.isAdmitted(peer);
  }

  setConnected(peer: PeerKey, isConnected: boolean): void {
    const link = this.#links.get(peer);
    if ((link !== undefined) === isConnected) return;
    if (isConnected) {
      const [prompt, bulk] = [createSendQueue(this.#limits), createSendQueue(this.#limits)];
      this.#links.set(peer, { queues: { prompt, bulk }, interrupt: [] });
    } else {
      this.#links.delete(peer);
      for (const interrupt of link?.interrupt ?? []) interrupt();
    }
    for (const handler of this.#connectionHandlers) handler(peer, isConnected);
  }

  setPeers(peers: ReadonlyMap<PeerKey, readonly string[]>): void {
    const gone = this.#admission.setPeers(peers);
    for (const peer of gone) this.#hub.settle(this.self, peer);
    for (const peer of this.#admission.peers.keys()) this.#settleSoon(peer);
  }

  connected(): readonly PeerKey[] {
    return [...this.#links.keys()];
  }

  onConnection(handler: (peer: PeerKey, isConnected: boolean) => void): void {
    this.#connectionHandlers.push(handler);
  }

  send(to: PeerKey, message: Uint8Array, lane: Lane = 'prompt'): boolean {
    const queue = this.#links.get(to)?.queues[lane];
    const code =
      message.length > this.#limits.messageSizeBytesMax
        ? 'send-too-large'
        : queue === undefined
          ? 'send-not-connected'
          : queue.push(message)
            ? undefined
            : 'send-queue-full';
    if (code !== undefined) {
      this.events.record('warn', code, { peer: to, sizeBytes: message.length });
      return false;
    }
    this.#sent++;
    this.wake(to);
    return true;
  }

  onMessage(handler: MessageHandler, lane: Lane = 'prompt'): void {
    this.#messageHandlers.set(lane, [...(this.#messageHandlers.get(lane) ?? []), handler]);
  }

  /** Delivers what waits for a peer, in the next turn. */
  wake(peer: PeerKey): void {
    if (!this.#links.has(peer) || this.#scheduled.has(peer)) return;
    this.#scheduled.add(peer);
    setImmediate(() => {
      this.#scheduled.delete(peer);
      const queues = this.#links.get(peer)?.queues;
      if (queues === undefined) return;
      const { prompt, bulk } = queues;
      for (let left = prompt.length + bulk.length; left > 0; left--) {
        // A handler may have closed the link, or made the other end deaf.
        if (this.#links.get(peer)?.queues !== queues || this.#hub.deaf.has(peer)) return;
        const lane = prompt.length > 0 ? 'prompt' : 'bulk';
        this.#hub.nodes.get(peer)?.receive(this.self, queues[lane].shift()!, lane);
      }
      if (prompt.length + bulk.length > 0) this.wake(peer);
    });
  }

  receive(from: PeerKey, message: Uint8Array, lane: Lane): void {
    if (message.length > this.#limits.messageSizeBytesMax) {
      this.penalise(from, 'frame-too-large');
      return;
    }
    this.#received++;
    for (const handler of this.#messageHandlers.get(lane) ?? []) handler(from, message.slice());
  }

  answer(protocol: string, handler: (from: PeerKey, body: Uint8Array) => Promise<Uint8Array>) {
    this.#answers.register(protocol, handler);
  }

  request(
    to: PeerKey,
    protocol: string,
    body: Uint8Array,
    timeoutMs = this.#limits.requestTimeoutMs,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(timeoutMs, () =>
        reject(new PeerError('request-timeout', `no answer within ${timeoutMs} ms; ask another`)),
      );
      this.#ask(to, protocol, body.slice()).then(resolve, reject).finally(cancel);
    });
  }

  async #ask(to: PeerKey, protocol: string, body: Uint8Array): Promise<Uint8Array> {
    if (body.length > this.#limits.requestSizeBytesMax) {
      throw new PeerError('message-too-large', `a request of ${body.length} bytes; send less`);
    }
    const link = this.#links.get(to);
    const peer = this.#hub.nodes.get(to);
    if (this.#isClosed) throw new PeerError('network-closed', 'this node has left the network');
    if (link === undefined || peer === undefined) {
      throw new PeerError('peer-not-connected', `${to} is not connected; ask another`);
    }
    const interrupted = new Promise<never>((_, reject) => {
      const message = `${to} went away before it answered ${protocol}; ask again`;
      link.interrupt.push(() => reject(new PeerError('request-interrupted', message)));
    });
    const reply = await Promise.race([
      peer.reply({ from: this.self, protocol, body }),
      interrupted,
    ]);
    if (reply === undefined) {
      throw new PeerError('protocol-unknown', `${to} does not answer ${protocol}`);
    }
    if (!reply.ok) throw refusalToError(reply);
    if (reply.body.length > this.#limits.answerSizeBytesMax) {
      this.penalise(to, 'answer-too-large');
      throw new PeerError('answer-too-large', `the answer of ${to} is too large; ask for less`);
    }
    return reply.body.slice();
  }

  async publish(topic: string, body: Uint8Array): Promise<void> {
    if (this.#isClosed) throw new PeerError('network-closed', 'this node has left the network');
    if (body.length > this.#limits.publishSizeBytesMax) {
      throw new PeerError('message-too-large', `${body.length} bytes are too many to publish`);
    }
    if (this.#isNew(topic, body)) this.#passOn(topic, { from: this.self, body: body.slice() });
  }

  subscribe(topic: string, handler: Topic): void {
    this.#topics.set(topic, handler);
  }

  penalise(peer: PeerKey, code: string): void {
    this.events.record('warn', code, { peer });
    this.#admission.penalise(peer);
    this.#hub.settle(this.self, peer);
    this.#readmit(peer, this.#limits.penaltyMs);
  }

  counters(): Readonly<Record<string, number>> {
    const traffic = { 'messages-sent': this.#sent, 'messages-received': this.#received };
    return { ...traffic, ...this.events.counts() };
  }

  /** Undefined where this node does not answer the protocol. */
  async reply(request: PeerRequest): Promise<Reply | undefined> {
    await new Promise(setImmediate);
    if (this.#hub.deaf.has(this.self)) return new Promise(() => undefined);
    if (!this.#answers.has(request.protocol)) return undefined;
    return new Promise((resolve, reject) => {
      this.#answers.serve(request, async (reply) => resolve(reply)).catch(reject);
    });
  }

  leave(): void {
    this.#isClosed = true;
    this.#hub.nodes.delete(this.self);
    for (const peer of this.connected()) {
      this.setConnected(peer, false);
      this.#hub.settle(this.self, peer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosed) this.leave();
  }

  /** A timer may fire a little before the clock says so. */
  #readmit(peer: PeerKey, delayMs: number): void {
    this.#clock.after(delayMs, () => {
      const isEarly = this.#admission.peers.has(peer) && !this.#admission.isAdmitted(peer);
      if (!isEarly) this.#settleSoon(peer);
      else if (!this.#isClosed) this.#readmit(peer, 1);
    });
  }

  #settleSoon(peer: PeerKey): void {
    setImmediate(() => {
      if (!this.#isClosed) this.#hub.settle(this.self, peer);
    });
  }

  #passOn(topic: string, message: { from: PeerKey; body: Uint8Array }): void {
    for (const peer of this.connected()) {
      setImmediate(() => {
        if (this.#links.has(peer)) this.#hub.nodes.get(peer)?.hear(this.self, topic, message);
      });
    }
  }

  hear(by: PeerKey, topic: string, message: { from: PeerKey; body: Uint8Array }): void {
    const handler = this.#topics.get(topic);
    if (handler === undefined || this.#hub.deaf.has(this.self)) return;
    if (message.body.length > this.#limits.publishSizeBytesMax) {
      this.events.record('warn', 'published-too-large', { sizeBytes: message.body.length });
      return;
    }
    if (message.from === this.self || !this.#isNew(topic, message.body)) return;
    if (!this.#admission.peers.has(message.from)) {
      this.events.record('warn', 'published-by-stranger', { author: message.from });
      return;
    }
    const verdict = handler(message.from, message.body.slice());
    if (verdict !== 'accept') this.events.record('info', `published-${verdict}`);
    if (verdict === 'reject') this.penalise(by, 'published-wrong');
    if (verdict === 'accept') this.#passOn(topic, message);
  }

  #isNew(topic: string, body: Uint8Array): boolean {
    const nowMs = this.#clock.monotonicMs();
    for (const [id, seenMs] of this.#seenMs) {
      if (seenMs + this.#limits.seenMs > nowMs) break;
      this.#seenMs.delete(id);
    }
    const id = `${topic} ${digestOf(body)}`;
    if (this.#seenMs.has(id)) return false;
    this.#seenMs.set(id, nowMs);
    return true;
  }
}
