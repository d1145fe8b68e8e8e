import { type DraftCapture, double } from './draft.fixture.ts';
import { topicOf } from './sound-capture.fixture.ts';

/** How to make a capture break assertions, by their ids without `tck-id-`. */
export interface Breach {
  readonly ids: readonly string[];
  readonly how: (draft: DraftCapture) => void;
}

export function breach(how: (draft: DraftCapture) => void, ...ids: readonly string[]): Breach {
  return { ids, how };
}

/** Sets one value in one event. */
export function setting(tag: string, path: string, value: unknown, ...ids: readonly string[]) {
  return breach((draft) => draft.set(tag, path, value), ...ids);
}

const FLOW = 'message-flow-edge-node-birth-publish';
const DEVICE_FLOW = 'message-flow-device-birth-publish';
const COMMANDS = 'operational-behavior-data-commands';
const PUBLISH = 'operational-behavior-data-publish';

/** One event of each verb. */
const TAGS = {
  ...{ nbirth: 'nbirth', ndata: 'ndata', ncmd: 'ncmd', ndeath: 'edge death' },
  ...{ dbirth: 'dbirth', ddata: 'ddata', dcmd: 'dcmd', ddeath: 'ddeath' },
};

const topics: readonly Breach[] = [
  setting('ndata', 'topic', `${topicOf('NDATA')}/x/y`, 'topic-structure', 'topics-ndata-topic'),
  setting('ndata', 'topic', 'spBv1.0/plant/NOTHING/press', 'topic-structure'),
  setting('ndata', 'topic', 'spAv1.0/plant/NDATA/press', 'topic-structure-namespace-a'),
  setting('host birth', 'topic', 'STATE/scada', 'topic-structure-namespace-a'),
  setting(
    'ndata',
    'topic',
    'spBv1.0/pl+nt/NDATA/press',
    'intro-group-id-chars',
    'intro-group-id-string',
    'topic-structure-namespace-valid-group-id',
  ),
  setting(
    'ndata',
    'topic',
    'spBv1.0/plant/NDATA/pr#ss',
    'intro-edge-node-id-chars',
    'intro-edge-node-id-string',
    'topic-structure-namespace-valid-edge-node-id',
  ),
  setting('ndata', 'topic', 'spBv1.0/plant/NDATA/\ufffd', 'intro-edge-node-id-string'),
  setting(
    'ddata',
    'topic',
    'spBv1.0/plant/DDATA/press/v+lve',
    'intro-device-id-chars',
    'intro-device-id-string',
    'topic-structure-namespace-valid-device-id',
  ),
  setting(
    'ddata',
    'topic',
    'spBv1.0/plant/DDATA/press',
    'topic-structure-namespace-device-id-associated-message-types',
  ),
  setting(
    'ndata',
    'topic',
    'spBv1.0/plant/NDATA/press/valve',
    'topic-structure-namespace-device-id-non-associated-message-types',
  ),
  setting(
    'host birth',
    'topic',
    'spBv1.0/STATE/scada/x',
    'topic-structure-namespace-device-id-non-associated-message-types',
    'host-topic-phid-birth-topic',
    'operational-behavior-host-application-connect-birth-topic',
  ),
  setting(
    'host death',
    'topic',
    'spBv1.0/STATE/',
    'host-topic-phid-death-topic',
    'operational-behavior-host-application-death-topic',
  ),
  ...Object.entries(TAGS).map(([verb, tag]) =>
    setting(tag, 'topic', `${topicOf(verb.toUpperCase())}/`, `topics-${verb}-topic`),
  ),
  setting('nbirth', 'topic', `${topicOf('NBIRTH')}/`, `${FLOW}-nbirth-topic`),
  setting('dbirth', 'topic', `${topicOf('DBIRTH')}/`, `${DEVICE_FLOW}-dbirth-topic`),
  setting('edge will', 'topic', 'spBv1.0/plant/NDEATH/other', `${FLOW}-will-message-topic`),
  setting(
    'host will',
    'topic',
    'spBv1.0/STATE/scada/x',
    'operational-behavior-host-application-connect-will-topic',
  ),
  breach(
    (draft) =>
      draft.insertAfter('nbirth', draft.copy('nbirth', { topic: 'spBv1.0/Plant/NBIRTH/press' })),
    'case-sensitivity-sparkplug-ids',
  ),
];

const deliveries: readonly Breach[] = [
  ...(['nbirth', 'ndata', 'ncmd', 'dbirth', 'ddata', 'dcmd'] as const).flatMap((verb) => [
    setting(TAGS[verb], 'qos', 1, `topics-${verb}-mqtt`, `payloads-${verb}-qos`),
    setting(TAGS[verb], 'retain', true, `topics-${verb}-mqtt`, `payloads-${verb}-retain`),
  ]),
  setting('ddeath', 'qos', 1, 'topics-ddeath-mqtt'),
  setting('nbirth', 'qos', 1, `${FLOW}-nbirth-qos`),
  setting('nbirth', 'retain', true, `${FLOW}-nbirth-retained`),
  setting('dbirth', 'qos', 1, `${DEVICE_FLOW}-dbirth-qos`),
  setting('dbirth', 'retain', true, `${DEVICE_FLOW}-dbirth-retained`),
  ...(['birth', 'death'] as const).flatMap((which) => {
    const stem = `operational-behavior-host-application-${which === 'birth' ? 'connect-' : ''}`;
    return [
      setting(`host ${which}`, 'qos', 0, `host-topic-phid-${which}-qos`, `${stem}${which}-qos`),
      setting(
        `host ${which}`,
        'retain',
        false,
        `host-topic-phid-${which}-retain`,
        `${stem}${which}-retained`,
      ),
    ];
  }),
  setting('host birth', 'qos', 2, 'payloads-state-birth'),
  setting('host birth', 'retain', false, 'payloads-state-birth'),
  setting('edge will', 'qos', 0, `${FLOW}-will-message-qos`, 'payloads-ndeath-will-message-qos'),
  setting(
    'edge will',
    'retain',
    true,
    `${FLOW}-will-message-will-retained`,
    'payloads-ndeath-will-message-retain',
  ),
  setting(
    'host will',
    'qos',
    0,
    'payloads-state-will-message-qos',
    'operational-behavior-host-application-connect-will-qos',
  ),
  setting(
    'host will',
    'retain',
    false,
    'payloads-state-will-message-retain',
    'operational-behavior-host-application-connect-will-retained',
  ),
];

const sequences: readonly Breach[] = [
  setting('nbirth', 'payload.seq', 1, 'topics-nbirth-seq-num'),
  setting(
    'nbirth',
    'payload.seq',
    256,
    `${FLOW}-nbirth-payload-seq`,
    'payloads-sequence-num-zero-nbirth',
    'payloads-nbirth-seq',
  ),
  ...(['ndata', 'dbirth', 'ddata', 'ddeath'] as const).flatMap((verb) => [
    setting(
      TAGS[verb],
      'payload.seq',
      undefined,
      `payloads-${verb}-seq`,
      'payloads-sequence-num-always-included',
    ),
    setting(
      TAGS[verb],
      'payload.seq',
      77,
      `payloads-${verb}-seq-inc`,
      verb === 'dbirth' ? 'topics-dbirth-seq' : `topics-${verb}-seq-num`,
      'payloads-sequence-num-incrementing',
    ),
  ]),
  setting('ddeath', 'payload.seq', undefined, 'payloads-ddeath-seq-number'),
  setting('dbirth', 'payload.seq', 0, `${DEVICE_FLOW}-dbirth-payload-seq`),
  setting('ncmd', 'payload.seq', 1, 'payloads-ncmd-seq'),
  setting('dcmd', 'payload.seq', 1, 'payloads-dcmd-seq'),
  setting('edge death', 'payload.seq', 1, 'topics-ndeath-seq', 'payloads-ndeath-seq'),
  breach(
    (draft) => draft.moveBefore('ndata', 'nbirth'),
    'principles-birth-certificates-order',
    'payloads-ndata-order',
  ),
  breach((draft) => draft.moveBefore('ddata', 'dbirth'), 'payloads-ddata-order'),
  breach(
    (draft) => draft.remove('nbirth'),
    `${DEVICE_FLOW}-nbirth-wait`,
    `${DEVICE_FLOW}-dbirth-match-edge-node-topic`,
    'payloads-dbirth-order',
  ),
  breach(
    (draft) => draft.moveBefore('ndata-2', 'device-rebirth'),
    'payloads-dbirth-order',
    'payloads-ndata-order',
    `${COMMANDS}-rebirth-action-2`,
  ),
];

const commands: readonly Breach[] = [
  setting('ncmd', 'topic', 'spBv1.0/plant/CMD/press', `${COMMANDS}-ncmd-verb`),
  setting('ncmd', 'topic', 'spBv1.0/plant/DCMD/press', `${COMMANDS}-ncmd-verb`),
  setting('dcmd', 'topic', 'spBv1.0/plant/NCMD/press/valve', `${COMMANDS}-dcmd-verb`),
  setting('request', 'topic', topicOf('DCMD'), `${COMMANDS}-ncmd-rebirth-verb`),
  setting(
    'request',
    'payload.metrics.0.name',
    'node control/rebirth',
    `${COMMANDS}-ncmd-rebirth-name`,
  ),
  setting('request', 'payload.metrics.0.boolean', false, `${COMMANDS}-ncmd-rebirth-value`),
  setting('ncmd', 'payload.metrics.0.alias', 99, `${COMMANDS}-ncmd-metric-name`),
  setting('dcmd', 'payload.metrics.0.alias', 99, `${COMMANDS}-dcmd-metric-name`),
  setting('ncmd', 'payload.metrics.0', { alias: 1, int: 1 }, `${COMMANDS}-ncmd-metric-value`),
  setting('dcmd', 'payload.metrics.0', { alias: 11, int: 1 }, `${COMMANDS}-dcmd-metric-value`),
  breach((draft) => draft.moveBefore('ndata-2', 'rebirth'), `${COMMANDS}-rebirth-action-1`),
  breach(
    (draft) => draft.remove('rebirth', 'device-rebirth'),
    `${COMMANDS}-rebirth-action-1`,
    `${COMMANDS}-rebirth-action-2`,
  ),
  setting('rebirth', 'payload.metrics.0.long', 7, `${COMMANDS}-rebirth-action-3`),
];

const repetitions: readonly Breach[] = [
  setting(
    'ndata',
    'payload.metrics.0.double',
    double(2),
    'principles-rbe-recommended',
    `${PUBLISH}-nbirth-change`,
  ),
  setting('ddata', 'payload.metrics.0.int', 1, `${PUBLISH}-dbirth-change`),
];

export const messageBreaches: readonly Breach[] = [
  ...topics,
  ...deliveries,
  ...sequences,
  ...commands,
  ...repetitions,
];
