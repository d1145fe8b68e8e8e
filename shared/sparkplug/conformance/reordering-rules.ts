import { isFromEdge } from './message.ts';
import type { Heard, Replay } from './replay.ts';
import { type Rule, rebirthRequests } from './rule.ts';

/** Sequence numbers that lie this far ahead at most are taken for later messages: 5.9. */
const AHEAD_MAX = 128n;
const SEQUENCE_COUNT = 256n;
/** The share of the timeout by which a request may be early or late. */
const TOLERANCE = 0.5;

/** A host that waits for what is missing, where its timeout is given: specification, 5.9. */
export const reorderingRules: readonly Rule[] = [
  {
    applies: 'host',
    says: 'When a message is missing, the host waits for it as long as its timeout says',
    ids: ['5.9 operational-behavior-host-reordering-start'],
    needs: 'messages',
    check: (replay) =>
      gapsOf(replay).flatMap(({ gap, request, waited, isSettled }) => {
        if (request === undefined && !isSettled) return [];
        const isEarly = waited !== undefined && waited < 1 - TOLERANCE;
        return { event: gap.event, fault: isEarly ? 'it asked for a rebirth at once' : undefined };
      }),
  },
  {
    applies: 'host',
    says: 'When the timeout is over and the message missing, the host asks for a rebirth',
    ids: ['5.9 operational-behavior-host-reordering-rebirth'],
    needs: 'messages',
    check: (replay) =>
      gapsOf(replay).flatMap(({ gap, waited, isFilled, isSettled }) => {
        if (isFilled || !(isSettled || waited !== undefined)) return [];
        const isInTime = waited !== undefined && waited <= 1 + TOLERANCE;
        return { event: gap.event, fault: isInTime ? undefined : 'no request for a rebirth came' };
      }),
  },
  {
    applies: 'host',
    says: 'When the message comes in time, the host asks for no rebirth',
    ids: ['5.9 operational-behavior-host-reordering-success'],
    needs: 'messages',
    check: (replay) =>
      gapsOf(replay).flatMap(({ gap, waited, isFilled, isSettled }) => {
        if (!isFilled || !(isSettled || waited !== undefined)) return [];
        const fault = 'it asked for a rebirth, though nothing was missing';
        return { event: gap.event, fault: waited === undefined ? undefined : fault };
      }),
  },
];

interface Gap {
  /** The message that came too early. */
  readonly gap: Heard;
  /** Whether what was missing came within the timeout. */
  readonly isFilled: boolean;
  /** The request for a rebirth that followed. */
  readonly request: Heard | undefined;
  /** How long that took, in timeouts. */
  readonly waited: number | undefined;
  /** Whether the capture goes on for long enough to know that no request came. */
  readonly isSettled: boolean;
}

function gapsOf({ capture, messages, reorderTimeoutMs }: Replay): Gap[] {
  if (reorderTimeoutMs === undefined) return [];
  const heardUntil = capture.at(-1)?.at ?? 0;
  const newest = new Map<string, bigint>();
  const gaps: Gap[] = [];
  for (const [i, gap] of messages.entries()) {
    const missing = missingBefore(gap, newest);
    if (missing === undefined) continue;
    const until = gap.event.at + reorderTimeoutMs * (1 + TOLERANCE);
    const later = messagesUntil(messages, i + 1, until).filter(({ node }) => node === gap.node);
    const request = later.find(rebirthRequests);
    const arrived = new Set(later.filter(isFromEdge).map(({ payload }) => payload?.seq));
    gaps.push({
      gap,
      request,
      isFilled: missing.every((seq) => arrived.has(seq)),
      waited: request && (request.event.at - gap.event.at) / reorderTimeoutMs,
      isSettled: heardUntil >= until,
    });
  }
  return gaps;
}

function messagesUntil(messages: readonly Heard[], from: number, untilMs: number): Heard[] {
  const found: Heard[] = [];
  for (let i = from; i < messages.length && messages[i]!.event.at <= untilMs; i++) {
    found.push(messages[i]!);
  }
  return found;
}

/** The sequence numbers left out before the message, if any; remembers the newest one. */
function missingBefore(message: Heard, newest: Map<string, bigint>): bigint[] | undefined {
  const { payload, verb, node = '' } = message;
  const seq = payload?.seq;
  if (typeof seq !== 'bigint' || !isFromEdge(message)) return undefined;
  const before = verb === 'NBIRTH' ? undefined : newest.get(node);
  const ahead = before === undefined ? 0n : (seq - before - 1n + SEQUENCE_COUNT) % SEQUENCE_COUNT;
  if (ahead > AHEAD_MAX) return undefined;
  newest.set(node, seq);
  if (before === undefined || ahead === 0n) return undefined;
  return Array.from(
    { length: Number(ahead) },
    (_, i) => (before + 1n + BigInt(i)) % SEQUENCE_COUNT,
  );
}
