import { randomBytes } from 'node:crypto';
import type { Clock } from '#runtime/clock/clock.ts';
import {
  PeerBreach,
  PeerError,
  type PeerKey,
  type PeerNetwork,
} from '#runtime/peers/peer-network.ts';
import {
  type ForwardedAnswer,
  type ForwardedCall,
  type ForwardingAnswer,
  forwardedHeaders,
  forwardingAnswerCodec,
  forwardingRequestCodec,
} from '#shared/wire/forwarding.ts';
import type { Api } from '../api/api.ts';
import type { EdgeMap } from './edge-map.ts';

export const FORWARDING_PROTOCOL = 'twin-api';

/** How long one request is held for what it waits for; then the other side asks again. */
const HOLD_MS = 20;
/** Calls of all peers that are under way, or whose answers nobody has come for. */
const CALLS_MAX = 256;
/** Longer than any command may take; what nobody asked for by then is dropped. */
const TICKET_MS = 90_000;

export interface AnswerForwardedOptions {
  readonly network: PeerNetwork;
  readonly edges: EdgeMap;
  readonly api: Pick<Api, 'answer'>;
  readonly clock: Clock;
}

interface Ticket {
  readonly from: PeerKey;
  readonly answer: Promise<ForwardedAnswer>;
  /** Cancels the end of its time. */
  readonly forget: () => void;
}

/**
 * Answers what clients asked of other edge nodes about the twins of this one. What takes longer
 * than a moment, a command for a device, goes by ticket: the asking side comes back for it, so that
 * waiting takes no place from other requests between the two nodes. Nothing is passed on further.
 */
export function answerForwarded({ network, edges, api, clock }: AnswerForwardedOptions): void {
  const tickets = new Map<string, Ticket>();

  async function start(from: PeerKey, call: ForwardedCall): Promise<ForwardingAnswer> {
    const via = edges.edgeOf(from);
    if (via === undefined) throw new PeerError('not-a-member', 'the ledger names no such node');
    if (!new URL(call.url).pathname.startsWith('/api/2/')) {
      throw new PeerBreach('forwarding-malformed', 'that path is not passed on');
    }
    if (tickets.size >= CALLS_MAX) throw new PeerError('calls-too-many', 'ask again later');
    const answer = respond(api, call, via);
    const ticket = randomBytes(16).toString('hex');
    const forget = clock.after(TICKET_MS, () => tickets.delete(ticket));
    tickets.set(ticket, { from, answer, forget });
    return await settle(ticket, answer);
  }

  async function settle(
    ticket: string,
    answer: Promise<ForwardedAnswer>,
  ): Promise<ForwardingAnswer> {
    const held = Promise.withResolvers<undefined>();
    const cancel = clock.after(HOLD_MS, () => held.resolve(undefined));
    try {
      const settled = await Promise.race([answer, held.promise]);
      if (settled === undefined) return { v: 1, kind: 'pending', ticket };
      tickets.get(ticket)?.forget();
      tickets.delete(ticket);
      return settled;
    } finally {
      cancel();
    }
  }

  network.answer(FORWARDING_PROTOCOL, async (from, body) => {
    const request = forwardingRequestCodec.decode(body);
    if (!request.ok) throw new PeerBreach('forwarding-malformed', request.error.message);
    if (request.value.kind === 'call') {
      return forwardingAnswerCodec.encode(await start(from, request.value));
    }
    const { ticket } = request.value;
    const known = tickets.get(ticket);
    if (known?.from !== from) throw new PeerError('ticket-unknown', 'nothing waits under it');
    return forwardingAnswerCodec.encode(await settle(ticket, known.answer));
  });
}

async function respond(
  api: Pick<Api, 'answer'>,
  { method, url, headers, body, caller }: ForwardedCall,
  via: string,
): Promise<ForwardedAnswer> {
  const request = new Request(url, {
    method,
    headers: headers.map(([name, value]) => [name, value] as [string, string]),
    ...(body === null ? {} : { body: Uint8Array.from(body) }),
  });
  const response = await api.answer(request, { ...caller, name: `${caller.name}@${via}`, via });
  const kept = forwardedHeaders.answer.flatMap((name): [string, string][] => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { v: 1, kind: 'answered', status: response.status, headers: kept, body: bytes };
}
