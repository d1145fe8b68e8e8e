import { bdSeqOf, type Message, metricNamed, REBIRTH, type Verb } from './message.ts';
import type { Heard, Replay } from './replay.ts';
import { type Evidence, each, eachWill, firstFault, of, type Rule, type Verdict } from './rule.ts';

const INT64 = 4n;
const BOOLEAN = 11n;
const BD_SEQ_COUNT = 256n;

/** bdSeq, the rebirth metric, who is who: specification, 1.4.1.8, 4.2, 5.4, 5.17 and 6.4. */
export const sessionRules: readonly Rule[] = [
  {
    applies: 'edge',
    says: 'An NBIRTH has a bdSeq',
    ids: ['4.2.1.1.2 topics-nbirth-bdseq-included', '6.4.19 payloads-nbirth-bdseq'],
    needs: 'messages',
    check: each(of('NBIRTH'), hasBdSeq),
  },
  {
    applies: 'edge',
    says: 'The bdSeq of an NBIRTH is that of the will',
    ids: ['4.2.1.1.2 topics-nbirth-bdseq-matching', '6.4.19 payloads-nbirth-bdseq-repeat'],
    needs: 'connections',
    check: each(of('NBIRTH'), repeatsWill),
  },
  {
    applies: 'edge',
    says: 'The bdSeq of an NBIRTH is an Int64, and that of the will',
    ids: ['5.4 message-flow-edge-node-birth-publish-nbirth-payload-bdSeq'],
    needs: 'connections',
    check: each(of('NBIRTH'), (message) => {
      const verdict = repeatsWill(message);
      return verdict === true ? isInt64(message) : verdict;
    }),
  },
  {
    applies: 'edge',
    says: 'bdSeq goes up by one with each CONNECT, from 255 to 0; after NDEATH it is another',
    ids: ['4.2.1.1.2 topics-nbirth-bdseq-increment'],
    needs: 'messages',
    check: (replay) => [
      ...countsConnects(replay, () => true),
      ...each(of('NBIRTH'), changesAfterDeath)(replay),
    ],
  },
  {
    applies: 'edge',
    says: 'The will has a bdSeq, an Int64 that goes up by one with each CONNECT, from 255 to 0',
    ids: ['5.4 message-flow-edge-node-birth-publish-will-message-payload-bdSeq'],
    needs: 'connections',
    check: (replay) => countsConnects(replay, isInt64),
  },
  {
    applies: 'edge',
    says: 'The bdSeq of an NDEATH is that of the NBIRTH it ends, or of the session before',
    ids: ['6.4.25 payloads-ndeath-bdseq'],
    needs: 'messages',
    check: each(of('NDEATH'), belongsToBirth),
  },
  {
    applies: 'edge',
    says: 'An NDEATH has the bdSeq and no other metric',
    ids: ['4.2.1.3.2 topics-ndeath-payload'],
    needs: 'messages',
    check: each(of('NDEATH'), ({ payload }) => {
      const metrics = payload?.metrics ?? [];
      if (metrics.length !== 1) return `it has ${metrics.length} metrics`;
      return metrics[0]!.name === 'bdSeq' || 'its metric is not bdSeq';
    }),
  },
  {
    applies: 'edge',
    says: 'An NBIRTH has the metric Node Control/Rebirth',
    ids: ['5.17 operational-behavior-data-commands-rebirth-name'],
    needs: 'messages',
    check: each(of('NBIRTH'), hasRebirth),
  },
  {
    applies: 'edge',
    says: 'Node Control/Rebirth is a Boolean in the NBIRTH',
    ids: ['5.17 operational-behavior-data-commands-rebirth-datatype'],
    needs: 'messages',
    check: each(of('NBIRTH'), rebirthIsBoolean),
  },
  {
    applies: 'edge',
    says: 'Node Control/Rebirth is false in the NBIRTH',
    ids: ['5.17 operational-behavior-data-commands-rebirth-value'],
    needs: 'messages',
    check: each(of('NBIRTH'), rebirthIsFalse),
  },
  {
    applies: 'edge',
    says: 'An NBIRTH has Node Control/Rebirth, a Boolean that is false',
    ids: ['4.2.1.1.2 topics-nbirth-rebirth-metric', '6.4.19 payloads-nbirth-rebirth-req'],
    needs: 'messages',
    check: each(of('NBIRTH'), (message) =>
      firstFault([hasRebirth, rebirthIsBoolean, rebirthIsFalse], (judge) => judge(message)),
    ),
  },
  {
    applies: 'edge',
    says: 'Node Control/Rebirth has no alias in the NBIRTH',
    ids: ['5.17 operational-behavior-data-commands-rebirth-name-aliases'],
    needs: 'messages',
    check: each(of('NBIRTH'), (message) => {
      const metric = metricNamed(message, REBIRTH);
      if (metric === undefined) return undefined;
      return metric.alias === undefined || 'it has an alias';
    }),
  },
  {
    applies: 'edge',
    says: 'No two clients are one edge node at a time; no bdSeq comes back within a session',
    ids: [
      '1.4.1.8 intro-edge-node-id-uniqueness',
      '4.1.4 topic-structure-namespace-unique-edge-node-descriptor',
      '6.4.19 payloads-nbirth-edge-node-descriptor',
    ],
    needs: 'messages',
    check: each(of('NBIRTH'), isAlone),
  },
  {
    applies: 'edge',
    says: 'A second DBIRTH of a device in a session does not replace metrics by others',
    ids: ['4.1.5 topic-structure-namespace-unique-device-id'],
    needs: 'messages',
    check: each(of('DBIRTH'), isSameDevice),
  },
  ...(['NBIRTH', 'DBIRTH'] as const).map(protobufRule),
  {
    applies: 'edge',
    says: 'The will of an edge node is a Sparkplug payload',
    ids: ['5.4 message-flow-edge-node-birth-publish-will-message-payload'],
    needs: 'connections',
    check: eachWill(of('NDEATH'), isProtobuf),
  },
];

function protobufRule(verb: Verb): Rule {
  return {
    applies: 'edge',
    says: `The payload of ${verb} is a Sparkplug payload`,
    ids: [
      verb === 'NBIRTH'
        ? '5.4 message-flow-edge-node-birth-publish-nbirth-payload'
        : '5.6 message-flow-device-birth-publish-dbirth-payload',
    ],
    needs: 'messages',
    check: each(of(verb), isProtobuf),
  };
}

function isProtobuf({ payload }: Message): Verdict {
  return payload !== undefined || 'the payload is not protobuf of this form';
}

function hasBdSeq(message: Message): Verdict {
  return bdSeqOf(message) !== undefined || 'it has no bdSeq, or one that is not a number';
}

function isInt64(message: Message): Verdict {
  const datatype = metricNamed(message, 'bdSeq')?.datatype;
  return datatype === INT64 || `the data type of its bdSeq is ${datatype}, not ${INT64} (Int64)`;
}

function repeatsWill(message: Heard): Verdict {
  const { will } = message.connection ?? {};
  if (will?.verb !== 'NDEATH') return undefined;
  const [own, willed] = [bdSeqOf(message), bdSeqOf(will)];
  return (own !== undefined && own === willed) || `its bdSeq is ${own}, that of the will ${willed}`;
}

/** The wills of each edge node, one after the other. */
function* countsConnects(replay: Replay, also: (will: Message) => Verdict): Generator<Evidence> {
  const newest = new Map<string, bigint>();
  for (const { will } of replay.connections) {
    if (will?.verb !== 'NDEATH' || will.node === undefined) continue;
    const before = newest.get(will.node);
    const own = bdSeqOf(will);
    if (own !== undefined) newest.set(will.node, own);
    const verdict = firstFault([hasBdSeq, also, () => follows(own, before)], (judge) =>
      judge(will),
    );
    yield { event: will.event, fault: typeof verdict === 'string' ? verdict : undefined };
  }
}

function follows(own: bigint | undefined, before: bigint | undefined): Verdict {
  if (own === undefined) return undefined;
  if (own >= BD_SEQ_COUNT) return `its bdSeq is ${own}`;
  if (before === undefined) return true;
  return own === (before + 1n) % BD_SEQ_COUNT || `its bdSeq is ${own} after ${before}`;
}

function changesAfterDeath(message: Heard): Verdict {
  const { birth, death } = message;
  if (birth !== undefined || death === undefined) return undefined;
  const own = bdSeqOf(message);
  return own !== bdSeqOf(death) || `its bdSeq is ${own}, as in the NDEATH before it`;
}

function belongsToBirth(message: Heard): Verdict {
  const own = bdSeqOf(message);
  const [newest, before] = message.births.map(bdSeqOf);
  // A connection may end, and its will be sent, before any birth.
  if (message.birth === undefined || newest === undefined) return undefined;
  if (own === newest || own === (before ?? (newest + BD_SEQ_COUNT - 1n) % BD_SEQ_COUNT))
    return true;
  return `its bdSeq is ${own}, that of the NBIRTH ${newest}`;
}

function hasRebirth(message: Message): Verdict {
  return metricNamed(message, REBIRTH) !== undefined || `it has no metric ${REBIRTH}`;
}

function rebirthIsBoolean(message: Message): Verdict {
  const metric = metricNamed(message, REBIRTH);
  if (metric === undefined) return undefined;
  return metric.datatype === BOOLEAN || `its data type is ${metric.datatype}`;
}

function rebirthIsFalse(message: Message): Verdict {
  const metric = metricNamed(message, REBIRTH);
  if (metric === undefined) return undefined;
  const isFalse = metric.value?.kind === 'boolean' && metric.value.value === 0n;
  return isFalse || 'its value is not false';
}

function isAlone(message: Heard): Verdict {
  const { birth, births, connection } = message;
  const rival = births[0]?.connection;
  const isShared = rival !== undefined && connection !== undefined && rival !== connection;
  if (isShared && rival.client !== connection.client && isOpen(rival, message.index)) {
    return `client ${rival.client} is this edge node as well`;
  }
  const [newest, before] = births.map(bdSeqOf);
  const own = bdSeqOf(message);
  const isBack = own !== undefined && own === before && own !== newest && birth !== undefined;
  return isBack ? `bdSeq ${own} is back, though ${newest} took over from it` : true;
}

function isOpen({ endIndex }: { readonly endIndex: number | undefined }, index: number): boolean {
  return endIndex === undefined || endIndex > index;
}

function isSameDevice(message: Heard): Verdict {
  const now = message.definitions?.byName;
  const before = message.deviceBirth?.definitions?.byName;
  if (now === undefined || before === undefined) return true;
  const contains = (a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>) =>
    [...b.keys()].every((name) => a.has(name));
  return (
    contains(now, before) || contains(before, now) || 'two DBIRTHs of one device differ in metrics'
  );
}
