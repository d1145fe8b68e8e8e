import type { Message, Verb } from './message.ts';
import { each, eachWill, of, type Rule, type Verdict } from './rule.ts';

/** QoS and retain: specification, 4.2, 5.4, 5.6, 5.13, 5.14 and 6.4.19 to 6.4.27. */
export const deliveryRules: readonly Rule[] = [
  ...liveRules('NBIRTH', {
    both: ['4.2.1.1.2 topics-nbirth-mqtt'],
    qos: ['5.4 message-flow-edge-node-birth-publish-nbirth-qos', '6.4.19 payloads-nbirth-qos'],
    retain: [
      '5.4 message-flow-edge-node-birth-publish-nbirth-retained',
      '6.4.19 payloads-nbirth-retain',
    ],
  }),
  ...liveRules('NDATA', {
    both: ['4.2.1.2.2 topics-ndata-mqtt'],
    qos: ['6.4.21 payloads-ndata-qos'],
    retain: ['6.4.21 payloads-ndata-retain'],
  }),
  ...liveRules('NCMD', {
    both: ['4.2.1.4.2 topics-ncmd-mqtt'],
    qos: ['6.4.23 payloads-ncmd-qos'],
    retain: ['6.4.23 payloads-ncmd-retain'],
  }),
  ...liveRules('DBIRTH', {
    both: ['4.2.2.1.2 topics-dbirth-mqtt'],
    qos: ['5.6 message-flow-device-birth-publish-dbirth-qos', '6.4.20 payloads-dbirth-qos'],
    retain: [
      '5.6 message-flow-device-birth-publish-dbirth-retained',
      '6.4.20 payloads-dbirth-retain',
    ],
  }),
  ...liveRules('DDATA', {
    both: ['4.2.2.2.2 topics-ddata-mqtt'],
    qos: ['6.4.22 payloads-ddata-qos'],
    retain: ['6.4.22 payloads-ddata-retain'],
  }),
  ...liveRules('DDEATH', { both: ['4.2.2.3.2 topics-ddeath-mqtt'], qos: [], retain: [] }),
  ...liveRules('DCMD', {
    both: ['4.2.2.4.2 topics-dcmd-mqtt'],
    qos: ['6.4.24 payloads-dcmd-qos'],
    retain: ['6.4.24 payloads-dcmd-retain'],
  }),
  ...stateRules(true, {
    both: ['6.4.27 payloads-state-birth'],
    qos: [
      '4.2.3.1 host-topic-phid-birth-qos',
      '5.13 operational-behavior-host-application-connect-birth-qos',
    ],
    retain: [
      '4.2.3.1 host-topic-phid-birth-retain',
      '5.13 operational-behavior-host-application-connect-birth-retained',
    ],
  }),
  ...stateRules(false, {
    both: [],
    qos: [
      '4.2.3.2 host-topic-phid-death-qos',
      '5.14 operational-behavior-host-application-death-qos',
    ],
    retain: [
      '4.2.3.2 host-topic-phid-death-retain',
      '5.14 operational-behavior-host-application-death-retained',
    ],
  }),
  {
    applies: 'edge',
    says: 'The will of an edge node has QoS 1',
    ids: [
      '5.4 message-flow-edge-node-birth-publish-will-message-qos',
      '6.4.25 payloads-ndeath-will-message-qos',
    ],
    needs: 'connections',
    check: eachWill(of('NDEATH'), hasQos(1)),
  },
  {
    applies: 'edge',
    says: 'The will of an edge node is not retained',
    ids: [
      '5.4 message-flow-edge-node-birth-publish-will-message-will-retained',
      '6.4.25 payloads-ndeath-will-message-retain',
    ],
    needs: 'connections',
    check: eachWill(of('NDEATH'), isRetained(false)),
  },
  {
    applies: 'host',
    says: 'The will of a host application has QoS 1',
    ids: [
      '5.13 operational-behavior-host-application-connect-will-qos',
      '6.4.27 payloads-state-will-message-qos',
    ],
    needs: 'connections',
    check: eachWill(of('STATE'), hasQos(1)),
  },
  {
    applies: 'host',
    says: 'The will of a host application is retained',
    ids: [
      '5.13 operational-behavior-host-application-connect-will-retained',
      '6.4.27 payloads-state-will-message-retain',
    ],
    needs: 'connections',
    check: eachWill(of('STATE'), isRetained(true)),
  },
];

interface DeliveryIds {
  readonly both: readonly string[];
  readonly qos: readonly string[];
  readonly retain: readonly string[];
}

function liveRules(verb: Verb, ids: DeliveryIds): Rule[] {
  const applies = verb.endsWith('CMD') ? 'host' : 'edge';
  return deliveryOf({ concerns: of(verb), qos: 0, retain: false }, ids).map((rule) => ({
    ...rule,
    applies,
    says: `${verb} ${rule.says}`,
  }));
}

function stateRules(online: boolean, ids: DeliveryIds): Rule[] {
  const concerns = ({ verb, state }: Message) => verb === 'STATE' && state?.online === online;
  return deliveryOf({ concerns, qos: 1, retain: true }, ids).map((rule) => ({
    ...rule,
    applies: 'host',
    says: `The STATE of a host that is ${online ? 'online' : 'offline'} ${rule.says}`,
  }));
}

interface Delivery {
  readonly concerns: (message: Message) => boolean;
  readonly qos: number;
  readonly retain: boolean;
}

function deliveryOf({ concerns, qos, retain }: Delivery, ids: DeliveryIds) {
  const retained = retain ? 'is retained' : 'is not retained';
  const both = (message: Message): Verdict => {
    const verdict = hasQos(qos)(message);
    return verdict === true ? (isRetained(retain)(message) ?? true) : verdict;
  };
  const needs = 'messages' as const;
  const rules = [
    { says: `has QoS ${qos} and ${retained}`, ids: ids.both, judge: both },
    { says: `has QoS ${qos}`, ids: ids.qos, judge: hasQos(qos) },
    { says: retained, ids: ids.retain, judge: isRetained(retain) },
  ];
  return rules
    .filter((rule) => rule.ids.length > 0)
    .map(({ judge, ...rule }) => ({ ...rule, needs, check: each(concerns, judge) }));
}

function hasQos(qos: number): (message: Message) => Verdict {
  return ({ event }) => event.qos === qos || `its QoS is ${event.qos}`;
}

/** Says nothing where who listened could not tell. */
function isRetained(retain: boolean): (message: Message) => Verdict {
  return ({ event }) => {
    if (event.retain === undefined) return undefined;
    return event.retain === retain || (retain ? 'it is not retained' : 'it is retained');
  };
}
