import type { SubscribeEvent } from './capture.ts';
import { cleanRules, hasNoWill, isHost, ofConnections, subscribesOf } from './connection-rules.ts';
import { type Connection, filterMatches } from './connections.ts';
import { isBirth, isDeath, isOfNow } from './host-state-rules.ts';
import type { Heard, Replay } from './replay.ts';
import type { Evidence, Rule, Verdict } from './rule.ts';

/** The order in which a host application comes and goes: specification, 4.2.3, 5.3, 5.13, 5.14. */
export const hostConnectionRules: readonly Rule[] = [
  ...cleanRules('host', isHost, {
    old: '5.3 message-flow-phid-sparkplug-clean-session-311',
    new: '5.3 message-flow-phid-sparkplug-clean-session-50',
  }),
  {
    applies: 'host',
    says: 'The CONNECT of a host application has its STATE as the will',
    ids: [
      '4.2.3.2.1 host-topic-phid-death-required',
      '5.13 operational-behavior-host-application-connect-will',
      '6.4.27 payloads-state-will-message',
    ],
    needs: 'connections',
    check: ofConnections(isHost, ({ will }) => will?.verb === 'STATE' || hasNoWill('STATE')),
  },
  {
    applies: 'host',
    says: 'The first message of a host application is its STATE, online',
    ids: [
      '4.2.3.1 host-topic-phid-birth-message',
      '5.10 operational-behavior-primary-application-state-with-multiple-servers-state',
      '5.13 operational-behavior-host-application-connect-birth',
    ],
    needs: 'connections',
    check: ofConnections(isHost, ({ acts }) => {
      const first = acts.find(({ event }) => event.kind === 'publish');
      if (first === undefined) return undefined;
      const { message } = first;
      return (message && isBirth(message)) || `it is ${message?.verb ?? 'not of Sparkplug'}`;
    }),
  },
  {
    applies: 'host',
    says: 'A host subscribes to its STATE and to spBv1.0 before it says that it is online',
    ids: [
      '4.2.3.1.1 host-topic-phid-birth-sub-required',
      '5.3 message-flow-phid-sparkplug-subscription',
    ],
    needs: 'connections',
    check: beforeBirth((filters, host) => {
      if (!hears(filters, `spBv1.0/STATE/${host}`)) return 'it had not subscribed to its STATE';
      return hears(filters, 'spBv1.0/g/NBIRTH/n') || hearsSomeNode(filters) || 'to STATE alone';
    }),
  },
  {
    applies: 'host',
    says: 'A host subscribes to its STATE before it says that it is online',
    ids: ['6.4.27 payloads-state-subscribe'],
    needs: 'connections',
    check: beforeBirth(
      (filters, host) => hears(filters, `spBv1.0/STATE/${host}`) || 'it had not subscribed to it',
    ),
  },
  {
    applies: 'host',
    says: 'Once a host has subscribed, it says that it is online before all else',
    ids: [
      '4.2.3.1.1 host-topic-phid-birth-required',
      '5.3 message-flow-phid-sparkplug-state-publish',
    ],
    needs: 'connections',
    check: ofConnections(
      ({ host }) => host !== undefined,
      ({ acts }) => {
        const next = acts.find(({ event }) => event.kind !== 'subscribe');
        if (next === undefined) return undefined;
        const { message, event } = next;
        return (message && isBirth(message)) || `it was ${message?.verb ?? event.kind}`;
      },
    ),
  },
  {
    applies: 'host',
    says: "To a STATE that wrongly says offline the host answers with online and its will's time",
    ids: ['5.3 message-flow-hid-sparkplug-state-message-delivered'],
    needs: 'connections',
    check: contradicts,
  },
  {
    applies: 'host',
    says: 'No two clients are the same host application at a time',
    ids: ['5.13 operational-behavior-host-application-host-id'],
    needs: 'connections',
    check: areUnique,
  },
  {
    applies: 'host',
    says: 'Before a host sends DISCONNECT, it says that it is offline',
    ids: ['5.14 operational-behavior-host-application-termination'],
    needs: 'connections',
    check: ofConnections(isHost, (connection) => saysGoodbye(connection, () => true)),
  },
  {
    applies: 'host',
    says: 'Before a host sends DISCONNECT, it says that it is offline, with the time of then',
    ids: ['4.2.3.2.2 host-topic-phid-death-payload-disconnect-clean'],
    needs: 'connections',
    check: ofConnections(isHost, (connection) => saysGoodbye(connection, isOfNow)),
  },
];

function hears(filters: readonly SubscribeEvent[], topic: string): boolean {
  return filters.some((filter) => filterMatches(filter.topic, topic));
}

/** A host application for some groups only names them in its filters. */
function hearsSomeNode(filters: readonly SubscribeEvent[]): boolean {
  return filters.some(({ topic }) => {
    const [namespace, group, verb] = topic.split('/');
    return namespace === 'spBv1.0' && group !== 'STATE' && verb !== undefined;
  });
}

/** Judges what a host application had subscribed to when it first said that it is online. */
function beforeBirth(judge: (filters: readonly SubscribeEvent[], host: string) => Verdict) {
  return ofConnections(
    ({ host }) => host !== undefined,
    ({ acts, host }) => {
      const birth = acts.findIndex(({ message }) => message && isBirth(message));
      return birth < 0 ? undefined : judge(subscribesOf(acts.slice(0, birth)), host!);
    },
  );
}

function* contradicts({ messages, connections }: Replay): Generator<Evidence> {
  for (const message of messages.filter(isDeath)) {
    const { index, host, connection: own } = message;
    const contradicted = connections.filter(
      (connection) =>
        connection.host === host && connection !== own && isOnlineAt(connection, index),
    );
    for (const connection of contradicted) {
      const next = connection.acts.find((act) => act.index > index);
      if (next === undefined) continue;
      yield { event: next.event, fault: refutes(next.message, connection) };
    }
  }
}

function isOnlineAt({ acts, endIndex }: Connection, index: number): boolean {
  if (endIndex !== undefined && endIndex < index) return false;
  const said = acts.findLast((act) => act.index < index && act.message?.verb === 'STATE');
  return said?.message !== undefined && isBirth(said.message);
}

function refutes(answer: Pick<Heard, 'verb' | 'state'> | undefined, { will }: Connection) {
  if (answer?.verb !== 'STATE' || answer.state?.online !== true) return 'it does not say otherwise';
  const willed = will?.state?.timestamp;
  if (willed === undefined || answer.state.timestamp === willed) return undefined;
  return `its time stamp is ${answer.state.timestamp}, the will's ${willed}`;
}

function* areUnique({ connections }: Replay): Generator<Evidence> {
  const hosts = connections.filter(({ host }) => host !== undefined);
  for (const connection of hosts) {
    const rival = hosts.find(
      (other) =>
        other.host === connection.host &&
        other.client !== connection.client &&
        other.index < connection.index &&
        (other.endIndex === undefined || other.endIndex > connection.index),
    );
    const fault = rival && `client ${rival.client} is host application ${rival.host} as well`;
    yield { event: connection.connect, fault };
  }
}

function saysGoodbye({ end, acts }: Connection, also: (death: Heard) => Verdict): Verdict {
  if (end?.reason === undefined) return undefined;
  const last = acts.findLast(({ message }) => message !== undefined)?.message;
  if (last === undefined) return undefined;
  return isDeath(last) ? also(last as Heard) : `the last it published is ${last.verb}`;
}
