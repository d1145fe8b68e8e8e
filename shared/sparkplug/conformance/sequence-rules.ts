import { commandsComeFromHosts } from './host-state-rules.ts';
import { isFromEdge, type Message, type Verb } from './message.ts';
import type { Heard } from './replay.ts';
import { each, of, type Rule, type Verdict } from './rule.ts';

const SEQUENCE_MAX = 255n;

/** Sequence numbers and the order of births and data: specification, 4.2, 5.4, 5.6 and 6.4. */
export const sequenceRules: readonly Rule[] = [
  {
    applies: 'edge',
    says: 'The sequence number of an NBIRTH is 0',
    ids: ['4.2.1.1.2 topics-nbirth-seq-num'],
    needs: 'messages',
    check: each(of('NBIRTH'), ({ payload }) => payload?.seq === 0n || `it is ${payload?.seq}`),
  },
  {
    applies: 'edge',
    says: 'An NBIRTH has a sequence number from 0 to 255',
    ids: [
      '5.4 message-flow-edge-node-birth-publish-nbirth-payload-seq',
      '6.4.5 payloads-sequence-num-zero-nbirth',
      '6.4.19 payloads-nbirth-seq',
    ],
    needs: 'messages',
    check: each(of('NBIRTH'), isInRange),
  },
  {
    applies: 'edge',
    says: 'Every message of an edge node but NDEATH has a sequence number',
    ids: ['6.4.5 payloads-sequence-num-always-included'],
    needs: 'messages',
    check: each(isOfSession, hasSequence),
  },
  {
    applies: 'edge',
    says: 'After the NBIRTH the sequence number goes up by one with each message, from 255 to 0',
    ids: ['6.4.5 payloads-sequence-num-incrementing'],
    needs: 'messages',
    check: each((message) => isOfSession(message) && message.verb !== 'NBIRTH', continues),
  },
  ...continuingRules('NDATA', {
    has: ['6.4.21 payloads-ndata-seq'],
    continues: ['4.2.1.2.2 topics-ndata-seq-num', '6.4.21 payloads-ndata-seq-inc'],
  }),
  ...continuingRules('DBIRTH', {
    has: ['6.4.20 payloads-dbirth-seq'],
    continues: [
      '4.2.2.1.2 topics-dbirth-seq',
      '5.6 message-flow-device-birth-publish-dbirth-payload-seq',
      '6.4.20 payloads-dbirth-seq-inc',
    ],
  }),
  ...continuingRules('DDATA', {
    has: ['6.4.22 payloads-ddata-seq'],
    continues: ['4.2.2.2.2 topics-ddata-seq-num', '6.4.22 payloads-ddata-seq-inc'],
  }),
  ...continuingRules('DDEATH', {
    has: ['6.4.26 payloads-ddeath-seq', '6.4.26 payloads-ddeath-seq-number'],
    continues: ['4.2.2.3.2 topics-ddeath-seq-num', '6.4.26 payloads-ddeath-seq-inc'],
  }),
  ...(['NCMD', 'DCMD'] as const).map(
    (verb): Rule => ({
      applies: 'host',
      says: `${verb} has no sequence number`,
      ids: [verb === 'NCMD' ? '6.4.23 payloads-ncmd-seq' : '6.4.24 payloads-dcmd-seq'],
      needs: 'messages',
      check: each(of(verb), hasNoSequence),
    }),
  ),
  {
    applies: 'edge',
    says: 'NDEATH has no sequence number',
    ids: ['4.2.1.3.2 topics-ndeath-seq', '6.4.25 payloads-ndeath-seq'],
    needs: 'messages',
    check: each(of('NDEATH'), hasNoSequence),
  },
  {
    applies: 'both',
    says: 'The first message of an edge node in a session is NBIRTH, the first of a host its STATE',
    ids: ['2.4 principles-birth-certificates-order'],
    needs: 'messages',
    check: (replay) => [
      ...each(isOfSession, beginsWithBirth)(replay),
      ...commandsComeFromHosts(replay),
    ],
  },
  {
    applies: 'edge',
    says: 'A DBIRTH comes after the NBIRTH of its session',
    ids: [
      '5.6 message-flow-device-birth-publish-nbirth-wait',
      '5.6 message-flow-device-birth-publish-dbirth-match-edge-node-topic',
    ],
    needs: 'messages',
    check: each(of('DBIRTH'), followsNodeBirth),
  },
  {
    applies: 'edge',
    says: 'A DBIRTH comes before all data; later only of a device that joins later',
    ids: ['6.4.20 payloads-dbirth-order'],
    needs: 'messages',
    check: each(of('DBIRTH'), (message) => {
      const { afterData, awaited, device, known } = message;
      if (!known) return undefined;
      const isLate = afterData && awaited !== undefined && awaited === device;
      if (isLate) return 'data came before this device, alive all the time, was born again';
      return followsNodeBirth(message);
    }),
  },
  {
    applies: 'edge',
    says: 'NDATA comes after the NBIRTH and the DBIRTH of each device that was alive',
    ids: ['6.4.21 payloads-ndata-order'],
    needs: 'messages',
    check: each(of('NDATA'), followsBirths),
  },
  {
    applies: 'edge',
    says: 'DDATA comes after the NBIRTH, its DBIRTH, and that of each device that was alive',
    ids: ['6.4.22 payloads-ddata-order'],
    needs: 'messages',
    check: each(of('DDATA'), (message) => {
      const verdict = followsBirths(message);
      if (verdict !== true) return verdict;
      return message.deviceBirth !== undefined || 'its device has no DBIRTH in this session';
    }),
  },
];

interface ContinuingIds {
  readonly has: readonly string[];
  readonly continues: readonly string[];
}

function continuingRules(verb: Verb, ids: ContinuingIds): Rule[] {
  const both = { applies: 'edge', needs: 'messages' } as const;
  return [
    {
      ...both,
      says: `${verb} has a sequence number`,
      ids: ids.has,
      check: each(of(verb), hasSequence),
    },
    {
      ...both,
      says: `The sequence number of ${verb} follows that of the edge node's message before it`,
      ids: ids.continues,
      check: each(of(verb), continues),
    },
  ];
}

/** From an edge node, and not its last word, which has no place in the sequence. */
function isOfSession(message: Message): boolean {
  return isFromEdge(message) && message.verb !== 'NDEATH';
}

function beginsWithBirth({ known, birth, verb, previous }: Heard): Verdict {
  if (!known || previous !== undefined) return undefined;
  return verb === 'NBIRTH' || birth !== undefined || `the first message is ${verb}`;
}

function hasSequence({ payload }: Heard): Verdict {
  return typeof payload?.seq === 'bigint' || 'it has no sequence number';
}

function hasNoSequence({ payload }: Heard): Verdict {
  return payload?.seq === undefined || 'it has a sequence number';
}

function isInRange(message: Heard): Verdict {
  const seq = message.payload?.seq;
  if (typeof seq !== 'bigint') return hasSequence(message);
  return seq <= SEQUENCE_MAX || `its sequence number is ${seq}`;
}

function continues(message: Heard): Verdict {
  const range = isInRange(message);
  if (range !== true) return range;
  const before = message.previous?.payload?.seq;
  if (typeof before !== 'bigint') return undefined;
  const expected = (before + 1n) % (SEQUENCE_MAX + 1n);
  const { seq } = message.payload!;
  return seq === expected || `its sequence number is ${seq} after ${before}`;
}

function followsNodeBirth({ known, birth }: Heard): Verdict {
  if (!known) return undefined;
  return birth !== undefined || 'there is no NBIRTH in this session before it';
}

function followsBirths(message: Heard): Verdict {
  const verdict = followsNodeBirth(message);
  if (verdict !== true || message.awaited === undefined) return verdict;
  return `device ${message.awaited} was alive and has no DBIRTH since the NBIRTH`;
}
