import type { SubscribeEvent } from './capture.ts';
import type { Act, Connection } from './connections.ts';
import type { Replay } from './replay.ts';
import { commands, type Evidence, each, of, type Rule, type Verdict } from './rule.ts';

/** CONNECT, SUBSCRIBE and DISCONNECT of edge nodes: specification, 2.5, 5.4 to 5.6 and 6.4.25. */
export const edgeConnectionRules: readonly Rule[] = [
  ...cleanRules('edge', isEdge, {
    old: '2.5 principles-persistence-clean-session-311',
    new: '2.5 principles-persistence-clean-session-50',
  }),
  {
    applies: 'edge',
    says: 'An edge node connects before it publishes births',
    ids: ['5.4 message-flow-edge-node-birth-publish-connect'],
    needs: 'connections',
    check: each(of('NBIRTH', 'DBIRTH'), ({ connection, event: { client } }) =>
      client === undefined ? undefined : connection !== undefined || `${client} is not connected`,
    ),
  },
  {
    applies: 'edge',
    says: 'The CONNECT of an edge node has its NDEATH as the will',
    ids: [
      '5.4 message-flow-edge-node-birth-publish-will-message',
      '6.4.25 payloads-ndeath-will-message',
    ],
    needs: 'connections',
    check: ofConnections(isEdge, ({ will }) => will?.verb === 'NDEATH' || hasNoWill('NDEATH')),
  },
  {
    applies: 'edge',
    says: 'An edge node subscribes to its NCMD with QoS 1',
    ids: ['5.4 message-flow-edge-node-ncmd-subscribe'],
    needs: 'connections',
    check: ofConnections(isEdge, hearsCommands),
  },
  {
    applies: 'edge',
    says: 'What an edge node subscribes to of DCMD is of its own devices, with QoS 1',
    ids: ['5.6 message-flow-device-dcmd-subscribe'],
    needs: 'connections',
    check: ofConnections(isEdge, hearsDeviceCommands),
  },
  {
    applies: 'edge',
    says: 'An edge node publishes its NDEATH before it sends DISCONNECT',
    ids: [
      '5.5 operational-behavior-edge-node-intentional-disconnect-ndeath',
      '6.4.25 SHOULD payloads-ndeath-will-message-publisher',
    ],
    needs: 'connections',
    check: ofConnections(isEdge, diesFirst),
  },
  {
    applies: 'edge',
    says: 'Over MQTT 3.1.1 an edge node publishes its NDEATH before it sends DISCONNECT',
    ids: ['6.4.25 payloads-ndeath-will-message-publisher-disconnect-mqtt311'],
    needs: 'connections',
    check: ofConnections(
      (connection) => isEdge(connection) && connection.connect.protocol === 4,
      diesFirst,
    ),
  },
  {
    applies: 'edge',
    says: 'Over MQTT 5 the DISCONNECT of an edge node has reason 4, so that the will is sent',
    ids: ['6.4.25 payloads-ndeath-will-message-publisher-disconnect-mqtt50'],
    needs: 'connections',
    check: ofConnections(
      (connection) => isEdge(connection) && connection.connect.protocol === 5,
      ({ end }) => {
        if (end?.reason === undefined) return undefined;
        return end.reason === 4 || `its reason is ${end.reason}`;
      },
    ),
  },
];

export function isEdge({ node }: Connection): boolean {
  return node !== undefined;
}

/** What speaks as a host application, or commands as one. */
export function isHost({ host, acts }: Connection): boolean {
  return host !== undefined || acts.some(({ message }) => message && commands(message));
}

/** Judges connections as a whole. */
export function ofConnections(
  concerns: (connection: Connection) => boolean,
  judge: (connection: Connection) => Verdict,
) {
  return function* ({ connections }: Replay): Generator<Evidence> {
    for (const connection of connections) {
      const verdict = concerns(connection) ? judge(connection) : undefined;
      if (verdict === undefined) continue;
      yield { event: connection.connect, fault: verdict === true ? undefined : verdict };
    }
  };
}

export function hasNoWill(verb: 'NDEATH' | 'STATE'): string {
  return `its CONNECT has no ${verb} as the will`;
}

export function subscribesOf(acts: readonly Act[]): readonly SubscribeEvent[] {
  return acts.flatMap(({ event }) => (event.kind === 'subscribe' ? event : []));
}

/** How a session that outlives its connection is avoided, in either version of MQTT. */
export function cleanRules(
  applies: 'edge' | 'host',
  concerns: (connection: Connection) => boolean,
  ids: { readonly old: string; readonly new: string },
): Rule[] {
  const who = applies === 'edge' ? 'an edge node' : 'a host application';
  const both = { applies, needs: 'connections' } as const;
  const over = (protocol: number) => (connection: Connection) =>
    concerns(connection) && connection.connect.protocol === protocol;
  return [
    {
      ...both,
      says: `Over MQTT 3.1.1 the CONNECT of ${who} asks for a clean session`,
      ids: [ids.old],
      check: ofConnections(over(4), ({ connect }) => connect.clean || 'it does not'),
    },
    {
      ...both,
      says: `Over MQTT 5 the CONNECT of ${who} has a clean start and session expiry 0`,
      ids: [ids.new],
      check: ofConnections(over(5), ({ connect: { clean, sessionExpirySeconds = 0 } }) => {
        if (!clean) return 'it does not ask for a clean start';
        return sessionExpirySeconds === 0 || `its session expires in ${sessionExpirySeconds} s`;
      }),
    },
  ];
}

function hearsCommands({ node, acts }: Connection): Verdict {
  if (!acts.some(({ message }) => message?.verb === 'NBIRTH')) return undefined;
  const own = subscribesOf(acts).find(({ topic }) => isOf(topic, 'NCMD', node!));
  if (own === undefined) return 'it does not';
  return own.qos === 1 || `it does with QoS ${own.qos}`;
}

function hearsDeviceCommands({ node, acts }: Connection): Verdict {
  const all = subscribesOf(acts).filter(({ topic }) => topic.split('/')[2] === 'DCMD');
  if (all.length === 0) return undefined;
  const foreign = all.find(({ topic }) => !isOf(topic, 'DCMD', node!));
  if (foreign !== undefined) return `it subscribes to ${foreign.topic}`;
  const other = all.find(({ qos }) => qos !== 1);
  return other === undefined || `it subscribes to ${other.topic} with QoS ${other.qos}`;
}

function isOf(filter: string, verb: string, node: string): boolean {
  const [namespace, group, kind, name] = filter.split('/');
  return namespace === 'spBv1.0' && kind === verb && `${group}/${name}` === node;
}

function diesFirst({ end, acts }: Connection): Verdict {
  if (end?.reason === undefined) return undefined;
  const spoken = acts.findLast(({ message }) => message !== undefined)?.message;
  if (spoken === undefined) return undefined;
  return spoken.verb === 'NDEATH' || `the last it published is ${spoken.verb}`;
}
