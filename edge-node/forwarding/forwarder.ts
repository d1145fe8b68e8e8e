import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import { PeerError, type PeerKey, type PeerNetwork } from '#runtime/peers/peer-network.ts';
import {
  type ForwardedAnswer,
  type ForwardedCall,
  type ForwardingAnswer,
  type ForwardingRequest,
  forwardingAnswerCodec,
  forwardingRequestCodec,
} from '#shared/wire/forwarding.ts';
import { FORWARDING_PROTOCOL } from './answer-forwarded.ts';
import type { EdgeMap } from './edge-map.ts';
import { RequestGate } from './request-gate.ts';

/** One request between the nodes; the answering side gives up after ten seconds. */
const REQUEST_MS = 8000;
/** All of a call: a command may take a minute. */
const CALL_MS_MAX = 75_000;
/** What all nodes are asked at once, for one answer. */
const EVERYBODY_MS = 2000;
/** Half of what a peer answers at once: the other half is for everything else it is asked. */
const AT_ONCE_MAX = 4;
/** Between two questions after what takes longer, outside of the turns that others wait for. */
const WAIT_MS_MIN = 20;
const WAIT_MS_MAX = 250;
const WAITING_MAX = 64;

export interface ForwarderOptions {
  readonly network: PeerNetwork;
  readonly edges: EdgeMap;
  readonly clock: Clock;
  readonly events: Events;
}

/** What is asked, and by whom. */
export type PassedCall = Omit<ForwardedCall, 'v' | 'kind'>;

/** Why another edge node did not answer. */
export interface Unanswered {
  readonly code: 'away' | 'silent' | 'busy' | 'refused' | 'too-large';
  readonly reason: string;
}

/** Asks other edge nodes in the place of this node's clients. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #gates = new Map<PeerKey, RequestGate>();

  constructor(options: ForwarderOptions) {
    this.#options = options;
    options.network.onConnection((peer, isConnected) => {
      if (!isConnected) this.#gates.delete(peer);
    });
  }

  /** Where the twins are. */
  get edges(): EdgeMap {
    return this.#options.edges;
  }

  /** The answer of one edge node; asked once, since it may be a change. */
  async ask(
    edge: string,
    call: PassedCall,
    deadlineMs = CALL_MS_MAX,
  ): Promise<ForwardedAnswer | Unanswered> {
    const { edges, network, clock, events } = this.#options;
    const peer = edges.peerOf(edge);
    if (peer === undefined || !network.connected().includes(peer)) {
      return { code: 'away', reason: 'it is not connected' };
    }
    const endMs = clock.monotonicMs() + deadlineMs;
    try {
      let answer = await this.#request(peer, { v: 1, kind: 'call', ...call }, endMs);
      for (let waitMs = WAIT_MS_MIN; answer.kind === 'pending'; waitMs *= 2) {
        if (clock.monotonicMs() >= endMs) break;
        await pause(clock, Math.min(waitMs, WAIT_MS_MAX));
        answer = await this.#request(peer, { v: 1, kind: 'wait', ticket: answer.ticket }, endMs);
      }
      return answer.kind === 'answered' ? answer : { code: 'silent', reason: 'it takes too long' };
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      events.record('info', 'not-forwarded', { edge, reason: error.message });
      return unanswered(error);
    }
  }

  /** The answers of all other edge nodes that give one in time, and who does not. */
  async askAll(
    call: PassedCall,
  ): Promise<{ answers: Map<string, ForwardedAnswer>; unanswered: string[] }> {
    const answers = new Map<string, ForwardedAnswer>();
    const missing: string[] = [];
    await Promise.all(
      [...this.#options.edges.others().keys()].map(async (edge) => {
        const answer = await this.ask(edge, call, EVERYBODY_MS);
        if ('status' in answer && answer.status === 200) answers.set(edge, answer);
        else missing.push(edge);
      }),
    );
    return { answers, unanswered: missing.sort() };
  }

  async #request(
    peer: PeerKey,
    request: ForwardingRequest,
    endMs: number,
  ): Promise<ForwardingAnswer> {
    const { network, clock } = this.#options;
    const gate = this.#gates.get(peer) ?? new RequestGate(limits);
    this.#gates.set(peer, gate);
    if (gate.isFull) throw new PeerError('gate-full', `${WAITING_MAX} requests wait for it`);
    const bytes = await gate.pass(() => {
      const leftMs = Math.max(1, Math.min(REQUEST_MS, endMs - clock.monotonicMs()));
      return network.request(peer, FORWARDING_PROTOCOL, encode(request), leftMs);
    });
    const answer = forwardingAnswerCodec.decode(bytes);
    if (answer.ok) return answer.value;
    network.penalise(peer, 'forwarding-malformed');
    throw new PeerError('answer-malformed', answer.error.message);
  }
}

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}

const limits = { atOnceMax: AT_ONCE_MAX, waitingMax: WAITING_MAX };
const encode = forwardingRequestCodec.encode;

function unanswered({ code, reason, message }: PeerError): Unanswered {
  switch (code) {
    case 'peer-not-connected':
    case 'network-closed':
      return { code: 'away', reason: message };
    case 'request-timeout':
    case 'request-interrupted':
      return { code: 'silent', reason: message };
    case 'gate-full':
      return { code: 'busy', reason: message };
    default:
      if (reason === 'answer-too-large') return { code: 'too-large', reason: message };
      return { code: reason?.endsWith('-too-many') ? 'busy' : 'refused', reason: message };
  }
}
