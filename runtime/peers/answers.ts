import assert from 'node:assert/strict';
import type { Events } from '#runtime/observe/events.ts';
import { PeerError, type PeerKey, type PeerLimits } from './peer-network.ts';

export type AnswerHandler = (from: PeerKey, body: Uint8Array) => Promise<Uint8Array>;

/** What goes back to who asked; a refusal carries a code and a sentence. */
export type Reply =
  | { readonly ok: true; readonly body: Uint8Array }
  | { readonly ok: false; readonly reason: string; readonly message: string };

/** The answering side of requests: one handler for each protocol, few at once for each peer. */
export interface Answers {
  register(protocol: string, handler: AnswerHandler): void;
  /** Whether somebody answers the protocol. */
  has(protocol: string): boolean;
  /**
   * Answers one request. It counts as under way until `deliver` has settled, which must not throw,
   * so that answers nobody fetches are bounded too.
   */
  serve(request: PeerRequest, deliver: (reply: Reply) => Promise<void>): Promise<void>;
}

export interface PeerRequest {
  readonly from: PeerKey;
  readonly protocol: string;
  readonly body: Uint8Array;
}

const PROTOCOL_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

export function createAnswers(limits: PeerLimits, events: Events): Answers {
  const handlers = new Map<string, AnswerHandler>();
  const underWay = new Map<PeerKey, number>();

  async function handle({ from, protocol, body }: PeerRequest): Promise<Reply> {
    const handler = handlers.get(protocol);
    assert(handler, `nobody answers ${protocol}`);
    try {
      const answer = await handler(from, body);
      if (answer.length <= limits.answerSizeBytesMax) return { ok: true, body: answer };
      events.record('error', 'answer-too-large', { peer: from, sizeBytes: answer.length });
      const message = `the answer is larger than ${limits.answerSizeBytesMax} bytes; ask for less`;
      return { ok: false, reason: 'answer-too-large', message };
    } catch (error) {
      if (error instanceof PeerError) {
        events.record('info', 'request-declined', { peer: from, reason: error.code });
        return { ok: false, reason: error.code, message: error.message };
      }
      events.record('error', 'answer-failed', { peer: from, protocol, error: `${error}` });
      return { ok: false, reason: 'answer-failed', message: 'it could not be answered' };
    }
  }

  return {
    register(protocol, handler) {
      assert(PROTOCOL_NAME.test(protocol), `the protocol ${protocol} is not in kebab-case`);
      assert(!handlers.has(protocol), `the protocol ${protocol} has its handler already`);
      handlers.set(protocol, handler);
    },
    has: (protocol) => handlers.has(protocol),
    async serve(request, deliver) {
      const { from } = request;
      const count = underWay.get(from) ?? 0;
      if (count >= limits.requestsAtOnceMax) {
        events.record('warn', 'requests-too-many', { peer: from });
        const message = `more than ${limits.requestsAtOnceMax} requests at once; ask again later`;
        return deliver({ ok: false, reason: 'requests-too-many', message });
      }
      underWay.set(from, count + 1);
      try {
        await deliver(await handle(request));
      } finally {
        const left = (underWay.get(from) ?? 1) - 1;
        if (left === 0) underWay.delete(from);
        else underWay.set(from, left);
      }
    },
  };
}

/** A peer's refusal as the asking side throws it. */
export function refusalToError({ reason, message }: Reply & { ok: false }): PeerError {
  return new PeerError('request-refused', `the peer refused (${reason}): ${message}`, { reason });
}
