import { DEVICE_VERBS, type Message, NODE_VERBS, sourceOf, type Verb } from './message.ts';
import type { Heard } from './replay.ts';
import { each, eachWill, of, type Rule, type Verdict } from './rule.ts';

const NAMESPACE = 'spBv1.0';
const NODE_FORM = 'spBv1.0/group/verb/node';
const DEVICE_FORM = `${NODE_FORM}/device`;

const everything = () => true;
const isNodes = of(...NODE_VERBS);
const isDevices = of(...DEVICE_VERBS);

/** Topics and the ids in them: specification, 1.4.1.8, 4.1, 4.2 and 5.2. */
export const topicRules: readonly Rule[] = [
  {
    applies: 'both',
    says: 'A topic is namespace, group, verb, node and maybe device, or namespace, STATE, host',
    ids: ['4.1 topic-structure'],
    needs: 'messages',
    check: each(everything, isWellFormed),
  },
  {
    applies: 'both',
    says: 'The first level is spBv1.0',
    ids: ['4.1.1 topic-structure-namespace-a'],
    needs: 'messages',
    check: each(everything, ({ levels }) => levels[0] === NAMESPACE || `it is ${levels[0]}`),
  },
  ...identifierRules('group', 1, [
    ['1.4.1.8 intro-group-id-string', '4.1.2 topic-structure-namespace-valid-group-id'],
    ['1.4.1.8 intro-group-id-chars'],
  ]),
  ...identifierRules('edge node', 3, [
    ['1.4.1.8 intro-edge-node-id-string', '4.1.4 topic-structure-namespace-valid-edge-node-id'],
    ['1.4.1.8 intro-edge-node-id-chars'],
  ]),
  ...identifierRules('device', 4, [
    ['1.4.1.8 intro-device-id-string', '4.1.5 topic-structure-namespace-valid-device-id'],
    ['1.4.1.8 intro-device-id-chars'],
  ]),
  {
    applies: 'both',
    says: 'DBIRTH, DDATA, DDEATH and DCMD topics name a device',
    ids: ['4.1.5 topic-structure-namespace-device-id-associated-message-types'],
    needs: 'messages',
    check: each(isDevices, ({ device }) => (device ?? '') !== '' || 'the topic names no device'),
  },
  {
    applies: 'both',
    says: 'NBIRTH, NDATA, NDEATH, NCMD and STATE topics name no device',
    ids: ['4.1.5 topic-structure-namespace-device-id-non-associated-message-types'],
    needs: 'messages',
    check: each(of(...NODE_VERBS, 'STATE'), ({ verb, levels }) =>
      levels.length > (verb === 'STATE' ? 3 : 4) ? 'the topic goes on after its last id' : true,
    ),
  },
  ...formRules(),
  {
    applies: 'host',
    says: 'A STATE of a host that is online is on spBv1.0/STATE/host',
    ids: [
      '4.2.3.1.1 host-topic-phid-birth-topic',
      '5.13 operational-behavior-host-application-connect-birth-topic',
    ],
    needs: 'messages',
    check: each(isOnline(true), isWellFormed),
  },
  {
    applies: 'host',
    says: 'A STATE of a host that is offline is on spBv1.0/STATE/host',
    ids: [
      '4.2.3.2.1 host-topic-phid-death-topic',
      '5.14 operational-behavior-host-application-death-topic',
    ],
    needs: 'messages',
    check: each(isOnline(false), isWellFormed),
  },
  {
    applies: 'edge',
    says: 'The will of an edge node is on spBv1.0/group/NDEATH/node',
    ids: ['5.4 message-flow-edge-node-birth-publish-will-message-topic'],
    needs: 'connections',
    check: ({ connections }) =>
      connections.flatMap(({ node, will }) =>
        node === undefined || will === undefined
          ? []
          : { event: will.event, fault: textOf(isNodesDeath(will, node)) },
      ),
  },
  {
    applies: 'host',
    says: 'The will of a host application is on spBv1.0/STATE/host',
    ids: ['5.13 operational-behavior-host-application-connect-will-topic'],
    needs: 'connections',
    check: eachWill(of('STATE'), isWellFormed),
  },
  {
    applies: 'edge',
    says: 'No two groups, edge nodes or devices differ by case alone',
    ids: ['5.2 SHOULD case-sensitivity-sparkplug-ids'],
    needs: 'messages',
    check: function* ({ messages }) {
      const spellings = new Map<string, string>();
      for (const message of messages.filter(of('NBIRTH', 'DBIRTH'))) {
        const own = sourceOf(message) ?? '';
        const first = spellings.get(own.toLowerCase()) ?? own;
        spellings.set(own.toLowerCase(), first);
        const fault = first === own ? undefined : `there is ${first} as well`;
        yield { event: message.event, fault };
      }
    },
  },
];

function isOnline(online: boolean): (message: Heard) => boolean {
  return ({ verb, state }) => verb === 'STATE' && state?.online === online;
}

function textOf(verdict: Verdict): string | undefined {
  return typeof verdict === 'string' ? verdict : undefined;
}

function isNodesDeath(will: Message, node: string): Verdict {
  if (will.verb !== 'NDEATH' || will.node !== node) return `it is not the NDEATH of ${node}`;
  return isWellFormed(will);
}

function isWellFormed({ levels, verb }: Message): Verdict {
  if (levels[0] !== NAMESPACE) return `the namespace is ${levels[0]}`;
  if (levels.some((level) => level === '')) return 'a level is empty';
  if (verb === undefined) return 'there is no verb of Sparkplug where one belongs';
  const length = lengthOf(verb);
  return levels.length === length || `it has ${levels.length} levels, not ${length}`;
}

function lengthOf(verb: Verb | 'STATE'): number {
  if (verb === 'STATE') return 3;
  return (DEVICE_VERBS as readonly string[]).includes(verb) ? 5 : 4;
}

function identifierRules(
  what: string,
  level: number,
  [text, characters]: readonly [readonly string[], readonly string[]],
): Rule[] {
  const concerns = (message: Message) =>
    (level === 4 ? isDevices(message) : isNodes(message) || isDevices(message)) &&
    message.levels.length > level;
  return [
    {
      applies: 'both',
      says: `The id of the ${what} is text of one character or more in UTF-8`,
      ids: text,
      needs: 'messages',
      check: each(concerns, ({ levels }) => isText(levels[level] ?? '')),
    },
    {
      applies: 'both',
      says: `The id of the ${what} has no character that MQTT refuses in a topic name`,
      ids: characters,
      needs: 'messages',
      check: each(concerns, ({ levels }) => hasOnlyTopicCharacters(levels[level] ?? '')),
    },
  ];
}

function isText(id: string): Verdict {
  if (id === '') return 'the id is empty';
  if (/[+#]/.test(id)) return 'the id has + or # in it';
  return (id.isWellFormed() && !id.includes('\ufffd')) || 'the id is not UTF-8';
}

function hasOnlyTopicCharacters(id: string): Verdict {
  return !/[+#\0]/.test(id) || 'the id has +, # or a null character in it';
}

function formRules(): Rule[] {
  const ids: Record<Verb, readonly string[]> = {
    NBIRTH: [
      '4.2.1.1.1 topics-nbirth-topic',
      '5.4 message-flow-edge-node-birth-publish-nbirth-topic',
    ],
    NDATA: ['4.2.1.2.1 topics-ndata-topic'],
    NDEATH: ['4.2.1.3.1 topics-ndeath-topic'],
    NCMD: ['4.2.1.4.1 topics-ncmd-topic'],
    DBIRTH: ['4.2.2.1.1 topics-dbirth-topic', '5.6 message-flow-device-birth-publish-dbirth-topic'],
    DDATA: ['4.2.2.2.1 topics-ddata-topic'],
    DDEATH: ['4.2.2.3.1 topics-ddeath-topic'],
    DCMD: ['4.2.2.4.1 topics-dcmd-topic'],
  };
  return [...NODE_VERBS, ...DEVICE_VERBS].map((verb) => ({
    applies: verb.endsWith('CMD') ? 'host' : 'edge',
    says: `The topic of ${verb} is ${lengthOf(verb) === 5 ? DEVICE_FORM : NODE_FORM}`,
    ids: ids[verb],
    needs: 'messages',
    check: each(of(verb), isWellFormed),
  }));
}
