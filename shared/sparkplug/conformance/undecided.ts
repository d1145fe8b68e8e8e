/** An assertion that no capture decides, and why. */
export interface Undecided {
  readonly id: string;
  readonly section: string;
  readonly level: 'MUST' | 'SHOULD' | 'MAY';
  readonly applies: 'edge' | 'host';
  readonly reason: string;
}

const INSIDE_HOST = 'it is a state within the host application, which it need not publish';
const ONE_SERVER = 'a capture is of one server, and this is about several';
const PERMISSION = 'it allows something: nothing can break it';

/** Assertions on clients that are not graded; those on MQTT servers are no matter of this table. */
export const undecided: readonly Undecided[] = [
  ...insideHost('5.5', 'edge-node-termination-host-action-ndeath-', [
    'node-offline',
    'node-tags-stale',
    'devices-offline',
    'devices-tags-stale',
  ]),
  ...insideHost('5.7', 'edge-node-termination-host-action-ddeath-', [
    'devices-offline',
    'devices-tags-stale',
  ]),
  {
    ...host('5.9', 'operational-behavior-host-reordering-param', 'it is about configuration'),
    level: 'SHOULD',
  },
  edge('5.5', 'operational-behavior-edge-node-termination-host-offline-reconnect', ONE_SERVER),
  edge(
    '5.10',
    'operational-behavior-primary-application-state-with-multiple-servers-single-server',
    ONE_SERVER,
  ),
  edge(
    '5.10',
    'operational-behavior-primary-application-state-with-multiple-servers-state-subs',
    'only by that subscription does it show that an edge node has a primary host',
  ),
  host('5.13', 'operational-behavior-host-application-multi-server-timestamp', ONE_SERVER),
  edge(
    '5.7',
    'operational-behavior-device-ddeath',
    'only the edge node knows that it has lost a device',
  ),
  host(
    '4.2.3.2.2',
    'host-topic-phid-death-payload-disconnect-with-no-disconnect-packet',
    'without a DISCONNECT, leaving on purpose looks like a lost link',
  ),
  ...[
    edge('4.1.5', 'topic-structure-namespace-duplicate-device-id-across-edge-node', PERMISSION),
    edge('5.5', 'operational-behavior-edge-node-intentional-disconnect-packet', PERMISSION),
    host('5.14', 'operational-behavior-host-application-disconnect-intentional', PERMISSION),
    host('6.4.6', 'payloads-name-cmd-requirement', PERMISSION),
    edge('6.4.14', 'payloads-template-definition-parameters-default', PERMISSION),
    edge('6.4.14', 'payloads-template-instance-members-data', PERMISSION),
    edge('6.4.14', 'payloads-template-instance-parameters', PERMISSION),
  ].map((permission) => ({ ...permission, level: 'MAY' as const })),
];

function insideHost(section: string, stem: string, endings: readonly string[]): Undecided[] {
  return endings.map((ending) =>
    host(section, `operational-behavior-${stem}${ending}`, INSIDE_HOST),
  );
}

function edge(section: string, id: string, reason: string): Undecided {
  return { id: `tck-id-${id}`, section, level: 'MUST', applies: 'edge', reason };
}

function host(section: string, id: string, reason: string): Undecided {
  return { ...edge(section, id, reason), applies: 'host' };
}
