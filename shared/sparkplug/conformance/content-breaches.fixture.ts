import { type DraftMessage, double } from './draft.fixture.ts';
import { type Breach, breach, setting } from './message-breaches.fixture.ts';
import { START } from './sound-capture.fixture.ts';

const FLOW = 'message-flow-edge-node-birth-publish';
const COMMANDS = 'operational-behavior-data-commands';
const PUBLISH = 'operational-behavior-data-publish';
const BIRTH = 'payload.metrics';
const TEMPLATE = `${BIRTH}.4.template`;
const DEFINITION = `${BIRTH}.3.template`;
const DATASET = `${BIRTH}.5.dataset`;
const PROPERTIES = `${BIRTH}.2.properties`;

const sessions: readonly Breach[] = [
  setting(
    'nbirth',
    `${BIRTH}.0`,
    undefined,
    'topics-nbirth-bdseq-included',
    'payloads-nbirth-bdseq',
  ),
  setting(
    'nbirth',
    `${BIRTH}.0.long`,
    9,
    'topics-nbirth-bdseq-matching',
    'payloads-nbirth-bdseq-repeat',
  ),
  setting('nbirth', `${BIRTH}.0.long`, 9, `${FLOW}-nbirth-payload-bdSeq`),
  setting('nbirth', `${BIRTH}.0.datatype`, 8, `${FLOW}-nbirth-payload-bdSeq`),
  setting(
    'edge-2 will',
    `${BIRTH}.0.long`,
    5,
    'topics-nbirth-bdseq-increment',
    `${FLOW}-will-message-payload-bdSeq`,
  ),
  setting('edge will', `${BIRTH}.0.datatype`, 8, `${FLOW}-will-message-payload-bdSeq`),
  setting('nbirth-of-2', `${BIRTH}.0.long`, 0, 'topics-nbirth-bdseq-increment'),
  setting('edge death', `${BIRTH}.0.long`, 9, 'payloads-ndeath-bdseq'),
  breach((draft) => draft.add('edge death', BIRTH, { name: 'x' }), 'topics-ndeath-payload'),
  setting(
    'nbirth',
    `${BIRTH}.1.name`,
    'Rebirth',
    `${COMMANDS}-rebirth-name`,
    'topics-nbirth-rebirth-metric',
    'payloads-nbirth-rebirth-req',
  ),
  setting('nbirth', `${BIRTH}.1.datatype`, 3, `${COMMANDS}-rebirth-datatype`),
  setting('nbirth', `${BIRTH}.1.boolean`, true, `${COMMANDS}-rebirth-value`),
  setting('nbirth', `${BIRTH}.1.alias`, 77, `${COMMANDS}-rebirth-name-aliases`),
  breach(
    (draft) => {
      const connect = draft.copy('edge connect', { client: 'other' });
      draft.insertAfter('ndata', connect, draft.copy('nbirth', { client: 'other' }));
    },
    'intro-edge-node-id-uniqueness',
    'topic-structure-namespace-unique-edge-node-descriptor',
    'payloads-nbirth-edge-node-descriptor',
  ),
  breach((draft) => {
    const metrics = [{ name: 'other', timestamp: START, datatype: 3, int: 1 }];
    const again = draft.copy('dbirth', { payload: { timestamp: START, metrics, seq: 2 } });
    draft.insertAfter('dbirth', again);
  }, 'topic-structure-namespace-unique-device-id'),
  ...[
    ['nbirth', `${FLOW}-nbirth-payload`],
    ['dbirth', 'message-flow-device-birth-publish-dbirth-payload'],
    ['edge will', `${FLOW}-will-message-payload`],
  ].map(([tag, id]) => setting(tag!, 'payload', 'not protobuf', id!)),
];

const metrics: readonly Breach[] = [
  ...['nbirth', 'dbirth', 'ndata', 'ddata', 'ncmd', 'dcmd'].map((verb) =>
    setting(
      verb,
      'payload.timestamp',
      undefined,
      `payloads-${verb}-timestamp`,
      `topics-${verb}-timestamp`,
    ),
  ),
  setting('ddeath', 'payload.timestamp', undefined, 'payloads-ddeath-timestamp'),
  setting('ndata', 'payload.timestamp', START - 3_600_000, 'payloads-timestamp-in-UTC'),
  setting('ndata', `${BIRTH}.0.timestamp`, START / 1000, 'payloads-metric-timestamp-in-UTC'),
  setting('ndata', `${BIRTH}.0.timestamp`, START + 7_200_000, 'payloads-metric-timestamp-in-UTC'),
  setting('ndata', `${BIRTH}.0.timestamp`, undefined, 'payloads-name-birth-data-requirement'),
  setting('ndata', `${BIRTH}.0.alias`, undefined, 'payloads-name-requirement'),
  setting('dbirth', `${BIRTH}.0.alias`, 1, 'payloads-alias-uniqueness'),
  setting('nbirth', `${BIRTH}.5.alias`, 2, 'payloads-alias-uniqueness'),
  setting('dbirth', `${BIRTH}.0.name`, undefined, 'payloads-alias-birth-requirement'),
  setting('ndata', `${BIRTH}.0.name`, 'heat', 'payloads-alias-data-cmd-requirement'),
  setting(
    'ndata',
    `${BIRTH}.0`,
    { name: 'heat', timestamp: START, double: double(1) },
    'payloads-alias-data-cmd-requirement',
  ),
  setting('nbirth', `${BIRTH}.2.datatype`, 'ten', 'payloads-metric-datatype-value-type'),
  setting('nbirth', `${BIRTH}.2.datatype`, 2n ** 32n, 'payloads-metric-datatype-value-type'),
  setting('nbirth', `${BIRTH}.2.datatype`, 35, 'payloads-metric-datatype-value'),
  setting('nbirth', `${BIRTH}.2.datatype`, 0, 'payloads-metric-datatype-value'),
  setting('nbirth', `${BIRTH}.2.datatype`, undefined, 'payloads-metric-datatype-req'),
  setting('ndata', `${BIRTH}.0.datatype`, 10, 'payloads-metric-datatype-not-req'),
  ...['nbirth', 'dbirth'].flatMap((verb) => [
    setting(verb, `${BIRTH}.2.datatype`, undefined, `topics-${verb}-metrics`),
    setting(verb, `${BIRTH}.1.boolean`, undefined, `${PUBLISH}-${verb}-values`),
    setting(verb, `${BIRTH}.1.is_null`, true, `${PUBLISH}-${verb}-values`),
  ]),
  setting('ndata', `${BIRTH}.0.alias`, 99, 'topics-nbirth-metric-reqs', `${PUBLISH}-nbirth`),
  setting('ddata', `${BIRTH}.0.alias`, 1, 'topics-dbirth-metric-reqs', `${PUBLISH}-dbirth`),
  setting('nbirth', `${BIRTH}.5.timestamp`, START - 9, `${PUBLISH}-nbirth-order`),
  setting('dbirth', `${BIRTH}.2.timestamp`, START - 9, `${PUBLISH}-dbirth-order`),
  ...['ndata', 'ddata', 'ncmd', 'dcmd'].map((verb) =>
    setting(verb, BIRTH, [], `topics-${verb}-payload`),
  ),
  setting('dbirth', `${BIRTH}.1.name`, 'Level', 'case-sensitivity-metric-names'),
];

const properties: readonly Breach[] = [
  setting(
    'nbirth',
    `${PROPERTIES}.keys.1`,
    undefined,
    'payloads-propertyset-keys-array-size',
    'payloads-propertyset-values-array-size',
  ),
  setting('nbirth', `${PROPERTIES}.values.1.type`, 'x', 'payloads-metric-propertyvalue-type-type'),
  setting('nbirth', `${PROPERTIES}.values.1.type`, 19, 'payloads-metric-propertyvalue-type-value'),
  setting(
    'nbirth',
    `${PROPERTIES}.values.1.type`,
    undefined,
    'payloads-metric-propertyvalue-type-req',
  ),
  setting('nbirth', `${PROPERTIES}.values.0.type`, 4, 'payloads-propertyset-quality-value-type'),
  setting('nbirth', `${PROPERTIES}.values.0.int`, 1, 'payloads-propertyset-quality-value-value'),
  setting('nbirth', `${DATASET}.num_of_columns`, 3, 'payloads-dataset-column-size'),
  setting('nbirth', `${DATASET}.num_of_columns`, 'two', 'payloads-dataset-column-size'),
  setting(
    'nbirth',
    `${DATASET}.columns.1`,
    undefined,
    'payloads-dataset-column-num-headers',
    'payloads-dataset-types-num',
  ),
  setting('nbirth', `${DATASET}.types`, [], 'payloads-dataset-parameter-type-req'),
  setting(
    'nbirth',
    `${DATASET}.types.0`,
    2n ** 40n,
    'payloads-dataset-types-def',
    'payloads-dataset-types-type',
  ),
  setting('nbirth', `${DATASET}.types.0`, 16, 'payloads-dataset-types-value'),
  setting(
    'nbirth',
    `${DATASET}.rows.0.elements.0`,
    { extension: {} },
    'payloads-template-dataset-value',
  ),
];

const templates: readonly Breach[] = [
  setting('nbirth', `${TEMPLATE}.is_definition`, undefined, 'payloads-template-is-definition'),
  setting(
    'nbirth',
    `${DEFINITION}.is_definition`,
    false,
    'payloads-template-definition-is-definition',
    'payloads-template-is-definition-definition',
    'payloads-template-instance-ref',
    'payloads-template-ref-instance',
  ),
  setting(
    'nbirth',
    `${TEMPLATE}.is_definition`,
    true,
    'payloads-template-instance-is-definition',
    'payloads-template-is-definition-instance',
    'payloads-template-definition-ref',
    'payloads-template-ref-definition',
  ),
  breach((draft) => {
    const { metrics } = draft.find('nbirth').payload as { metrics: DraftMessage[] };
    draft.add('dbirth', BIRTH, metrics[3]);
  }, 'payloads-template-definition-nbirth-only'),
  setting(
    'nbirth',
    `${TEMPLATE}.template_ref`,
    'Fan',
    'payloads-template-definition-nbirth',
    'topics-nbirth-templates',
  ),
  setting(
    'nbirth',
    `${TEMPLATE}.metrics.0.name`,
    'pressure',
    'payloads-template-definition-members',
    'payloads-template-instance-members',
  ),
  setting(
    'nbirth',
    `${TEMPLATE}.parameters.0.name`,
    'weight',
    'payloads-template-definition-parameters',
  ),
  setting('nbirth', `${TEMPLATE}.metrics`, [], 'payloads-template-instance-members-birth'),
  setting('nbirth', `${TEMPLATE}.version`, 1, 'payloads-template-version'),
  setting(
    'nbirth',
    `${DEFINITION}.parameters.0.name`,
    undefined,
    'payloads-template-parameter-name-required',
  ),
  setting('nbirth', `${DEFINITION}.parameters.0.name`, 5, 'payloads-template-parameter-name-type'),
  setting(
    'nbirth',
    `${DEFINITION}.parameters.0.type`,
    'x',
    'payloads-template-parameter-value-type',
  ),
  setting(
    'nbirth',
    `${DEFINITION}.parameters.0.type`,
    19,
    'payloads-template-parameter-type-value',
  ),
  setting(
    'nbirth',
    `${DEFINITION}.parameters.0.type`,
    undefined,
    'payloads-template-parameter-type-req',
  ),
  setting(
    'nbirth',
    `${DEFINITION}.parameters.0`,
    { name: 'size', type: 3, extension: {} },
    'payloads-template-parameter-value',
  ),
];

export const contentBreaches: readonly Breach[] = [
  ...sessions,
  ...metrics,
  ...properties,
  ...templates,
];
