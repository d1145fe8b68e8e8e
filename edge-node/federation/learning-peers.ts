import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { PeerKey, PeerNetwork } from '#runtime/peers/peer-network.ts';
import type { Digest } from '#shared/identity/digest.ts';
import {
  type FederationRequest,
  federationAnswerCodec,
  federationRequestCodec,
  type RoundAnnouncement,
} from '#shared/wire/federation.ts';
import type { LearningHost } from './learning-host.ts';

const PROTOCOL = 'learning';
const ASK_PERIOD_MS = 1000;
const ASK_TIMEOUT_MS = 5000;

/** Lets the edge nodes that coordinate a task reach the devices of this one. */
export function serveLearning(network: PeerNetwork, host: LearningHost): void {
  network.answer(PROTOCOL, async (_from, body) => {
    const request = federationRequestCodec.decode(body);
    if (!request.ok) throw new Error(request.error.message);
    const devices =
      request.value.kind === 'eligible'
        ? host.eligible(request.value.task)
        : host.announce(request.value);
    return federationAnswerCodec.encode({ v: 1, devices: [...devices] });
  });
}

/** The other edge nodes, as the coordinator of a task sees them. */
export class LearningPeers implements Disposable {
  readonly #network: PeerNetwork;
  readonly #task: Digest;
  readonly #clock: Clock;
  readonly #events: Events;
  /** What each peer answered last. */
  readonly #eligible = new Map<PeerKey, readonly string[]>();
  #cancelAsk: () => void = () => undefined;

  constructor(
    network: PeerNetwork,
    { task, clock, events }: { task: Digest; clock: Clock; events: Events },
  ) {
    this.#network = network;
    this.#task = task;
    this.#clock = clock;
    this.#events = events;
    network.onConnection((peer, isConnected) => {
      if (!isConnected) this.#eligible.delete(peer);
    });
    this.#ask();
  }

  /** Devices of the other edge nodes that could take part. */
  eligible(): string[] {
    return [...this.#eligible.values()].flat();
  }

  /** Has each peer's devices learn that are among the participants. */
  announce(announcement: RoundAnnouncement): void {
    for (const [peer, devices] of this.#eligible) {
      const participants = devices.filter((device) => announcement.participants.includes(device));
      if (participants.length === 0) continue;
      this.#request(peer, { v: 1, kind: 'announce', ...announcement, participants });
    }
  }

  [Symbol.dispose](): void {
    this.#cancelAsk();
  }

  #ask(): void {
    for (const peer of this.#network.connected()) {
      this.#request(peer, { v: 1, kind: 'eligible', task: this.#task });
    }
    this.#cancelAsk = this.#clock.after(ASK_PERIOD_MS, () => this.#ask());
  }

  /** A peer that does not answer takes no part for now; the round's deadline does not wait. */
  #request(peer: PeerKey, request: FederationRequest): void {
    this.#network
      .request(peer, PROTOCOL, federationRequestCodec.encode(request), ASK_TIMEOUT_MS)
      .then((bytes) => {
        const answer = federationAnswerCodec.decode(bytes);
        if (!answer.ok) throw new Error(answer.error.message);
        if (request.kind === 'eligible') this.#eligible.set(peer, answer.value.devices);
      })
      .catch((error: Error) => {
        this.#eligible.delete(peer);
        this.#events.record('info', 'learning-peer-silent', { peer, reason: error.message });
      });
  }
}
