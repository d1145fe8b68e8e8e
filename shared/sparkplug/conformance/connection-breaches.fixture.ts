import { type Breach, breach, setting } from './message-breaches.fixture.ts';
import { START, stateOf } from './sound-capture.fixture.ts';

const FLOW = 'message-flow-edge-node-birth-publish';
const HOST_FLOW = 'message-flow-phid-sparkplug';
const HOST = 'operational-behavior-host-application';
const TERMINATION = 'operational-behavior-edge-node-termination';
const SERVERS = 'operational-behavior-primary-application-state-with-multiple-servers';
const LATER = START + 900_000;

const edges: readonly Breach[] = [
  setting('edge connect', 'clean', false, 'principles-persistence-clean-session-311'),
  setting('edge-2 connect', 'clean', false, 'principles-persistence-clean-session-50'),
  setting('edge-2 connect', 'sessionExpirySeconds', 9, 'principles-persistence-clean-session-50'),
  breach((draft) => draft.remove('edge connect'), `${FLOW}-connect`),
  breach(
    (draft) => draft.remove('edge will'),
    `${FLOW}-will-message`,
    'payloads-ndeath-will-message',
  ),
  breach((draft) => draft.remove('edge ncmd'), 'message-flow-edge-node-ncmd-subscribe'),
  setting('edge ncmd', 'qos', 0, 'message-flow-edge-node-ncmd-subscribe'),
  setting('edge dcmd', 'qos', 0, 'message-flow-device-dcmd-subscribe'),
  setting('edge dcmd', 'topic', 'spBv1.0/+/DCMD/#', 'message-flow-device-dcmd-subscribe'),
  breach(
    (draft) => draft.remove('edge death'),
    'operational-behavior-edge-node-intentional-disconnect-ndeath',
    'payloads-ndeath-will-message-publisher',
    'payloads-ndeath-will-message-publisher-disconnect-mqtt311',
  ),
  setting(
    'edge-2 disconnect',
    'reason',
    0,
    'payloads-ndeath-will-message-publisher-disconnect-mqtt50',
  ),
  breach((draft) => draft.moveBefore('nbirth', 'host connect'), `${FLOW}-connect`),
];

const primary: readonly Breach[] = [
  breach(
    (draft) => draft.remove('host birth'),
    `${FLOW}-phid-wait`,
    `${FLOW}-phid-wait-online`,
    'operational-behavior-edge-node-birth-sequence-wait',
  ),
  setting('edge primary', 'topic', 'spBv1.0/STATE/other', `${FLOW}-phid-wait-id`),
  breach((draft) => {
    const offline = { client: 'stranger', payload: stateOf(false, LATER) };
    const online = { client: 'stranger', payload: stateOf(true, START) };
    draft.insertAfter(
      'host birth',
      draft.copy('host birth', offline),
      draft.copy('host birth', online),
    );
  }, `${FLOW}-phid-wait-timestamp`),
  breach(
    (draft) => draft.set('doubt', 'payload', stateOf(false, LATER)),
    `${FLOW}-phid-offline`,
    `${TERMINATION}-host-offline`,
    `${SERVERS}-walk`,
  ),
  breach(
    (draft) => draft.insertAfter('doubt', draft.copy('edge death', { at: draft.find('doubt').at })),
    `${TERMINATION}-host-offline-timestamp`,
  ),
];

const hosts: readonly Breach[] = [
  setting('host connect', 'clean', false, `${HOST_FLOW}-clean-session-311`),
  setting('host-2 connect', 'clean', false, `${HOST_FLOW}-clean-session-50`),
  breach(
    (draft) => draft.remove('host will'),
    'host-topic-phid-death-required',
    `${HOST}-connect-will`,
    'payloads-state-will-message',
  ),
  breach(
    (draft) => draft.remove('host birth'),
    'intro-sparkplug-host-state',
    'components-ph-state',
    'conformance-primary-host',
    'host-topic-phid-birth-message',
    `${SERVERS}-state`,
    `${HOST}-connect-birth`,
    'host-topic-phid-birth-required',
    `${HOST_FLOW}-state-publish`,
    'principles-birth-certificates-order',
  ),
  breach(
    (draft) => draft.remove('host state', 'host all'),
    'host-topic-phid-birth-sub-required',
    `${HOST_FLOW}-subscription`,
    'payloads-state-subscribe',
  ),
  breach((draft) => draft.remove('host all'), `${HOST_FLOW}-subscription`),
  setting('host birth', 'payload', '{"online":true}', 'host-topic-phid-birth-payload'),
  setting('host birth', 'payload', 'ONLINE', 'host-topic-phid-birth-payload'),
  setting(
    'host birth',
    'payload',
    stateOf(true, START),
    'host-topic-phid-birth-payload-timestamp',
    `${HOST_FLOW}-state-publish-payload`,
    `${HOST_FLOW}-state-publish-payload-timestamp`,
    `${HOST}-connect-birth-payload`,
    'payloads-state-birth-payload',
  ),
  setting('host death', 'payload', '{"online":false}', 'host-topic-phid-death-payload'),
  setting(
    'host will',
    'payload',
    '{"online":"no"}',
    `${HOST}-death-payload`,
    'payloads-state-will-message-payload',
    `${HOST}-connect-will-payload`,
  ),
  setting('host-2 will', 'payload', stateOf(false, START - 5), `${HOST}-connect-will-payload`),
  setting('host will', 'payload', stateOf(false, 0), 'host-topic-phid-death-payload-connect'),
  breach((draft) => draft.remove('answer'), 'message-flow-hid-sparkplug-state-message-delivered'),
  setting(
    'answer',
    'payload',
    stateOf(true, START),
    'message-flow-hid-sparkplug-state-message-delivered',
  ),
  breach(
    (draft) =>
      draft.insertAfter(
        'host birth',
        draft.copy('host connect', { client: 'other' }),
        draft.copy('host birth', { client: 'other' }),
      ),
    `${HOST}-host-id`,
  ),
  breach(
    (draft) => draft.remove('host death'),
    `${HOST}-termination`,
    'host-topic-phid-death-payload-disconnect-clean',
  ),
  setting(
    'host death',
    'payload',
    stateOf(false, START - 900_000),
    'host-topic-phid-death-payload-disconnect-clean',
  ),
];

/** Of {@link reorderedCapture}. */
export const reorderingBreaches: readonly Breach[] = [
  setting('request', 'at', START + 6000, 'operational-behavior-host-reordering-start'),
  breach((draft) => draft.remove('request'), 'operational-behavior-host-reordering-rebirth'),
  breach(
    (draft) => draft.insertAfter('seq 1', { ...draft.copy('request', {}), at: START + 2300 }),
    'operational-behavior-host-reordering-success',
  ),
];

export const connectionBreaches: readonly Breach[] = [...edges, ...primary, ...hosts];
