import { assert } from '../basics/assert.ts';
import { type Failure, fail, ok, type Result } from '../basics/result.ts';

const NAMESPACE = 'spBv1.0';

const nodeVerbs = ['NBIRTH', 'NDATA', 'NDEATH', 'NCMD'] as const;
const deviceVerbs = ['DBIRTH', 'DDATA', 'DDEATH', 'DCMD'] as const;
export type NodeVerb = (typeof nodeVerbs)[number];
export type DeviceVerb = (typeof deviceVerbs)[number];

/** An edge node's place in the infrastructure: its "edge node descriptor". */
export interface NodeAddress {
  readonly group: string;
  readonly node: string;
}

export type SparkplugTopic =
  | ({ readonly kind: NodeVerb } & NodeAddress)
  | ({ readonly kind: DeviceVerb; readonly device: string } & NodeAddress)
  | { readonly kind: 'STATE'; readonly host: string };

export type TopicFailure = Failure<'topic-foreign' | 'topic-malformed'>;

/** UTF-16 units; bounds what a stranger's name may cost wherever it is remembered. */
const ID_LENGTH_MAX = 256;

/** What no MQTT topic name may hold, and Sparkplug's separator (MQTT 5.0, 4.7; Sparkplug, 4.1). */
const RESERVED = ['+', '#', '/', '\0'];

/** Whether the text may be the id of a group, an edge node, a device or a host application. */
export function isSparkplugId(text: string): boolean {
  const { length } = text;
  if (length === 0 || length > ID_LENGTH_MAX || !text.isWellFormed()) return false;
  return !RESERVED.some((character) => text.includes(character));
}

/**
 * `spBv1.0/{group}/{verb}/{node}[/{device}]`, or `spBv1.0/STATE/{host}` (Sparkplug 3.0, 4.1).
 * All ids must be {@link isSparkplugId}.
 */
export function formatTopic(topic: SparkplugTopic): string {
  const levels = levelsOf(topic);
  assert(
    levels.every(isSparkplugId),
    `the ids of the topic ${levels.join(' / ')} can stand in one`,
  );
  return [NAMESPACE, ...levels].join('/');
}

/** The filter that matches all topics of a group. */
export function everyTopicOf(group: string): string {
  assert(isSparkplugId(group), `${group} can be the id of a group`);
  return `${NAMESPACE}/${group}/#`;
}

function levelsOf(topic: SparkplugTopic): string[] {
  if (topic.kind === 'STATE') return ['STATE', topic.host];
  const levels = [topic.group, topic.kind, topic.node];
  return 'device' in topic ? [...levels, topic.device] : levels;
}

/**
 * The parts of a topic.
 *
 * Errors: `topic-foreign` (another namespace), `topic-malformed` (an unknown verb, a device where
 * none belongs or none where one does, an id that is empty, too long or of reserved characters).
 */
export function parseTopic(topic: string): Result<SparkplugTopic, TopicFailure> {
  if (!topic.startsWith(`${NAMESPACE}/`)) {
    return fail('topic-foreign', `the topic is none of ${NAMESPACE}'s: ${excerpt(topic)}`);
  }
  const levels = topic.split('/').slice(1);
  const parsed = levels.every(isSparkplugId) ? parseLevels(levels) : undefined;
  if (parsed !== undefined) return ok(parsed);
  return fail('topic-malformed', `not a topic of Sparkplug B 3.0: ${excerpt(topic)}`);
}

function parseLevels(levels: readonly string[]): SparkplugTopic | undefined {
  const [group, verb, node, device] = levels as [string, ...(string | undefined)[]];
  if (levels.length === 2) {
    return group === 'STATE' ? { kind: 'STATE', host: verb as string } : undefined;
  }
  if (node === undefined || levels.length > 4) return undefined;
  if (device === undefined) {
    const kind = nodeVerbs.find((known) => known === verb);
    return kind && { kind, group, node };
  }
  const kind = deviceVerbs.find((known) => known === verb);
  return kind && { kind, group, node, device };
}

function excerpt(topic: string): string {
  return JSON.stringify(topic.length > 100 ? `${topic.slice(0, 100)}...` : topic);
}
