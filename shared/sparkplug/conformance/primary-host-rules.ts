import { isEdge, subscribesOf } from './connection-rules.ts';
import type { Act, Connection } from './connections.ts';
import { isData } from './message.ts';
import type { Heard, Replay } from './replay.ts';
import { type Evidence, each, of, type Rule, TRANSIT_MAX_MS, type Verdict } from './rule.ts';

/**
 * Edge nodes that wait for a primary host application: specification, 5.4, 5.5 and 5.10. One that
 * subscribes to the STATE of a certain host waits for that.
 */
export const primaryHostRules: readonly Rule[] = [
  {
    applies: 'edge',
    says: 'An NBIRTH comes while the primary host, no other, is online by its newest STATE',
    ids: [
      '5.4 message-flow-edge-node-birth-publish-phid-wait',
      '5.4 message-flow-edge-node-birth-publish-phid-wait-id',
      '5.4 message-flow-edge-node-birth-publish-phid-wait-online',
      '5.10 operational-behavior-edge-node-birth-sequence-wait',
    ],
    needs: 'connections',
    check: births((states) => states.at(-1)),
  },
  {
    applies: 'edge',
    says: 'An NBIRTH comes while the primary host is online by the STATE of the latest time',
    ids: ['5.4 message-flow-edge-node-birth-publish-phid-wait-timestamp'],
    needs: 'connections',
    check: births(latest),
  },
  {
    applies: 'edge',
    says: 'When the primary host goes offline, the edge node publishes NDEATH and disconnects',
    ids: ['5.4 message-flow-edge-node-birth-publish-phid-offline'],
    needs: 'connections',
    check: afterOffline(true, (next, after) => {
      if (next.message?.verb !== 'NDEATH') return `it went on with ${nameOf(next)}`;
      return (
        after === undefined || after.event.kind === 'disconnect' || `then came ${nameOf(after)}`
      );
    }),
  },
  {
    applies: 'edge',
    says: 'When the primary host goes offline, the edge node leaves the server',
    ids: [
      '5.5 operational-behavior-edge-node-termination-host-offline',
      '5.10 operational-behavior-primary-application-state-with-multiple-servers-walk',
    ],
    needs: 'connections',
    check: afterOffline(true, (next) => isLeaving(next) || `it went on with ${nameOf(next)}`),
  },
  {
    applies: 'edge',
    says: 'A STATE older than that by which the primary host is online makes no node leave at once',
    ids: ['5.5 operational-behavior-edge-node-termination-host-offline-timestamp'],
    needs: 'connections',
    check: afterOffline(false, (next, _, offline) => {
      const isAnswer = next.event.at <= offline.event.at + TRANSIT_MAX_MS;
      return !(isAnswer && isLeaving(next) && !isCutOff(next)) || 'it left';
    }),
  },
];

/** The host whose STATE the edge node subscribes to by name. */
function primaryOf({ acts }: Connection): string | undefined {
  for (const { topic } of subscribesOf(acts)) {
    const [namespace, state, host, ...rest] = topic.split('/');
    const isOne = namespace === 'spBv1.0' && state === 'STATE' && rest.length === 0;
    if (isOne && host !== undefined && host !== '+' && host !== '#') return host;
  }
  return undefined;
}

function births(choose: (states: readonly Heard[]) => Heard | undefined) {
  return (replay: Replay): Iterable<Evidence> => {
    const states = statesOf(replay);
    return each(of('NBIRTH'), ({ connection, index }) => {
      const primary = connection && primaryOf(connection);
      if (primary === undefined) return undefined;
      const before = (states.get(primary) ?? []).filter((state) => state.index < index);
      return choose(before)?.state?.online === true || `primary host ${primary} is not online`;
    })(replay);
  };
}

function statesOf({ messages }: Replay): Map<string, Heard[]> {
  return Map.groupBy(
    messages.filter(({ verb }) => verb === 'STATE'),
    ({ host }) => host ?? '',
  );
}

/** The STATE in force: each one is, unless its time stamp is before that of the one in force. */
function latest(states: readonly Heard[]): Heard | undefined {
  let inForce: Heard | undefined;
  for (const one of states) {
    if (timeOf(one) >= timeOf(inForce)) inForce = one;
  }
  return inForce;
}

function timeOf(state: Heard | undefined): number {
  return state?.state?.timestamp ?? 0;
}

type JudgeOfActs = (next: Act, after: Act | undefined, offline: Heard) => Verdict;

/** Judges what edge nodes in a session do next when their host goes offline, in force or not. */
function afterOffline(inForce: boolean, judge: JudgeOfActs) {
  return function* (replay: Replay): Generator<Evidence> {
    const states = statesOf(replay);
    for (const connection of replay.connections.filter(isEdge)) {
      const all = states.get(primaryOf(connection) ?? '') ?? [];
      for (const { offline, isInForce, until } of offlines(all)) {
        if (isInForce !== inForce || !isInSession(connection, offline.index)) continue;
        const [next, after] = connection.acts.filter((act) => isAnswer(act, offline));
        if (next === undefined || next.index > until) continue;
        yield* judged(next, judge(next, after, offline));
      }
    }
  };
}

interface Offline {
  readonly offline: Heard;
  readonly isInForce: boolean;
  /** Where the next of them comes that is in force. */
  until: number;
}

/** Every STATE by which an online host goes offline, or would if it were in force. */
function offlines(states: readonly Heard[]): readonly Offline[] {
  const found: Offline[] = [];
  const pending: Offline[] = [];
  let newest: Heard | undefined;
  for (const one of states) {
    const isInForce = timeOf(one) >= timeOf(newest);
    if (one.state?.online === false && newest?.state?.online === true) {
      for (const before of isInForce ? pending.splice(0) : []) before.until = one.index;
      pending.push({ offline: one, isInForce, until: Number.POSITIVE_INFINITY });
      found.push(pending.at(-1)!);
    }
    if (isInForce) newest = one;
  }
  return found;
}

function* judged({ event }: Act, verdict: Verdict): Generator<Evidence> {
  if (verdict !== undefined) yield { event, fault: verdict === true ? undefined : verdict };
}

function isInSession({ acts, index: start, endIndex }: Connection, index: number): boolean {
  if (start > index || (endIndex !== undefined && endIndex < index)) return false;
  return acts.some((act) => act.index < index && act.message?.verb === 'NBIRTH');
}

function isAnswer({ index, event, message }: Act, offline: Heard): boolean {
  if (index < offline.index) return false;
  const isOnTheWay = event.at <= offline.event.at + TRANSIT_MAX_MS;
  return !(isOnTheWay && message !== undefined && isData(message));
}

function isLeaving({ event, message }: Act): boolean {
  return event.kind === 'disconnect' || message?.verb === 'NDEATH';
}

function isCutOff({ event }: Act): boolean {
  return event.kind === 'disconnect' && event.reason === undefined;
}

function nameOf({ event, message }: Act): string {
  return message?.verb ?? event.kind;
}
