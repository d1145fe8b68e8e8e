import assert from 'node:assert/strict';
import type { Connection, Libp2p, PrivateKey } from '@libp2p/interface';
import { createEvents, type Events } from '#runtime/observe/events.ts';
import { type Admission, createAdmission } from './admission.ts';
import { type AnswerHandler, type Answers, createAnswers } from './answers.ts';
import { type Gossip, type Subscriber, startGossip } from './gossip.ts';
import type { Libp2pNetworkOptions } from './libp2p-network.ts';
import { createPeerNode } from './libp2p-node.ts';
import { peerKeyOf } from './peer-identity.ts';
import { PeerLinks } from './peer-links.ts';
import {
  PeerError,
  type PeerKey,
  type PeerLimits,
  type PeerNetwork,
  peerLimits,
} from './peer-network.ts';
import { answerStreams, ask } from './request-stream.ts';

/** See `startLibp2pNetwork`, which loads this. */
export async function openLibp2pPeers(options: Libp2pNetworkOptions): Promise<PeerNetwork> {
  const { clock, log } = options;
  const limits = { ...peerLimits, ...options.limits };
  const events = createEvents(log, clock);
  let admission: Admission | undefined;
  const { node, privateKey } = await createPeerNode({
    ...options,
    admits: (peer) => admission?.isAdmitted(peer) ?? false,
    onRefused(peer, address) {
      const isKnown = peer !== undefined && (admission?.peers.has(peer) ?? false);
      const code = isKnown ? 'penalised-refused' : 'stranger-refused';
      events.record('warn', code, { peer, address });
    },
  });
  const self = peerKeyOf(node.peerId);
  assert(self, 'a node made from an Ed25519 seed has an Ed25519 key');
  admission = createAdmission(self, clock, limits.penaltyMs);
  const peers = new Libp2pPeers({ ...options, limits, node, privateKey, self, admission, events });
  await peers.start();
  return peers;
}

interface Parts extends Libp2pNetworkOptions {
  readonly limits: PeerLimits;
  readonly node: Libp2p;
  readonly privateKey: PrivateKey;
  readonly self: PeerKey;
  readonly admission: Admission;
  readonly events: Events;
}

class Libp2pPeers implements PeerNetwork {
  readonly self: PeerKey;
  readonly addresses: readonly string[];
  readonly #parts: Parts;
  readonly #answers: Answers;
  readonly #links: PeerLinks;
  readonly #connectionHandlers: ((peer: PeerKey, isConnected: boolean) => void)[] = [];
  readonly #messageHandlers: ((from: PeerKey, message: Uint8Array) => void)[] = [];
  #gossip: Gossip | undefined;
  #isClosed = false;
  #sent = 0;
  #received = 0;

  constructor(parts: Parts) {
    this.self = parts.self;
    this.addresses = parts.node.getMultiaddrs().map((address) => `${address}`.split('/p2p/')[0]!);
    this.#parts = parts;
    this.#answers = createAnswers(parts.limits, parts.events);
    this.#links = new PeerLinks({
      ...parts,
      onMessage: (from, message) => {
        this.#received++;
        for (const handler of this.#messageHandlers) handler(from, message);
      },
      onUp: (peer, connection) => {
        this.#gossip?.up(peer, connection);
        for (const handler of this.#connectionHandlers) handler(peer, true);
      },
      onDown: (peer) => {
        this.#gossip?.down(peer);
        for (const handler of this.#connectionHandlers) handler(peer, false);
      },
    });
  }

  async start(): Promise<void> {
    const { admission } = this.#parts;
    this.#gossip = await startGossip({
      ...this.#parts,
      isOnList: (author) => author === this.self || admission.peers.has(author),
      isLinked: (connection) => this.#links.isLinked(connection),
      onBreach: (peer, code) => this.penalise(peer, code),
    });
    await this.#links.listen();
  }

  setPeers(peers: ReadonlyMap<PeerKey, readonly string[]>): void {
    this.#parts.admission.setPeers(peers);
    this.#links.update();
  }

  connected(): readonly PeerKey[] {
    return this.#links.connected();
  }

  onConnection(handler: (peer: PeerKey, isConnected: boolean) => void): void {
    this.#connectionHandlers.push(handler);
  }

  send(to: PeerKey, message: Uint8Array): boolean {
    const { limits, events } = this.#parts;
    let code = 'send-too-large';
    if (message.length <= limits.messageSizeBytesMax) {
      const wasTaken = this.#links.send(to, message);
      if (wasTaken) {
        this.#sent++;
        return true;
      }
      code = wasTaken === undefined ? 'send-not-connected' : 'send-queue-full';
    }
    events.record('warn', code, { peer: to, sizeBytes: message.length });
    return false;
  }

  onMessage(handler: (from: PeerKey, message: Uint8Array) => void): void {
    this.#messageHandlers.push(handler);
  }

  async request(
    to: PeerKey,
    protocol: string,
    body: Uint8Array,
    timeoutMs = this.#parts.limits.requestTimeoutMs,
  ): Promise<Uint8Array> {
    const { limits, clock } = this.#parts;
    this.#refuseIfClosed();
    refuseIfLarge(body, limits.requestSizeBytesMax);
    const connection = this.#links.connectionOf(to);
    if (connection === undefined) {
      throw new PeerError('peer-not-connected', `${to} is not connected; ask another`);
    }
    const onBreach = (code: string) => this.penalise(to, code);
    return ask(body, { connection, protocol, limits, clock, timeoutMs, onBreach });
  }

  answer(protocol: string, handler: AnswerHandler): void {
    this.#answers.register(protocol, handler);
    void answerStreams(this.#parts.node, {
      ...this.#parts,
      protocol,
      answers: this.#answers,
      keyOf: (connection) => this.#admittedKeyOf(connection),
      onBreach: (peer, code) => this.penalise(peer, code),
    });
  }

  async publish(topic: string, body: Uint8Array): Promise<void> {
    this.#refuseIfClosed();
    refuseIfLarge(body, this.#parts.limits.publishSizeBytesMax);
    await this.#gossip?.publish(topic, body);
  }

  subscribe(topic: string, subscriber: Subscriber): void {
    this.#gossip?.subscribe(topic, subscriber);
  }

  penalise(peer: PeerKey, code: string): void {
    this.#links.penalise(peer, code);
  }

  counters(): Readonly<Record<string, number>> {
    const traffic = { 'messages-sent': this.#sent, 'messages-received': this.#received };
    return { ...traffic, ...this.#parts.events.counts() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#links.close();
    await this.#gossip?.stop();
    await this.#parts.node.stop();
  }

  #admittedKeyOf(connection: Connection): PeerKey | undefined {
    const peer = peerKeyOf(connection.remotePeer);
    return peer !== undefined && this.#parts.admission.isAdmitted(peer) ? peer : undefined;
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw new PeerError('network-closed', 'this node has left the network');
  }
}

function refuseIfLarge(body: Uint8Array, sizeBytesMax: number): void {
  if (body.length <= sizeBytesMax) return;
  const message = `${body.length} bytes are more than the ${sizeBytesMax} that peers take`;
  throw new PeerError('message-too-large', message);
}
