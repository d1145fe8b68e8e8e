import type { MetricTable } from './edge-metrics.ts';
import { birthMetric, dataMetric, isKnown, type Reading } from './edge-metrics.ts';
import { BD_SEQ, type EdgeSession, REBIRTH } from './edge-state.ts';
import type { Metric } from './metric.ts';
import { encodePayload } from './payload.ts';
import type { Publication, Subscription } from './publication.ts';
import { formatTopic, type SparkplugTopic } from './topic.ts';

/** A session that has sent messages, and these. */
export interface Sent {
  readonly session: EdgeSession;
  readonly messages: readonly Publication[];
}

type EdgeTopic = Exclude<SparkplugTopic, { kind: 'STATE' }>;

/** What the edge node listens to: commands, and its primary host. */
export function subscriptions({ options, devices }: EdgeSession): Subscription[] {
  const { group, node, primaryHost } = options;
  const filters = [formatTopic({ kind: 'NCMD', group, node })];
  for (const [device, { metrics }] of devices) {
    if (isWritable(metrics)) filters.push(formatTopic({ kind: 'DCMD', group, node, device }));
  }
  if (primaryHost !== undefined) filters.push(formatTopic({ kind: 'STATE', host: primaryHost }));
  return filters.map((filter) => ({ filter, qos: 1 }));
}

export function isWritable(metrics: MetricTable): boolean {
  return [...metrics.values()].some(({ definition }) => definition.isWritable);
}

/** The will, and the farewell before a DISCONNECT: by its bdSeq it belongs to one CONNECT. */
export function nodeDeath({ options, bdSeq }: EdgeSession, wallMs: number): Publication {
  const { group, node } = options;
  const metrics = [bdSeqMetric(bdSeq, wallMs)];
  return {
    topic: formatTopic({ kind: 'NDEATH', group, node }),
    payload: encodePayload({ timestampMs: wallMs, metrics }),
    qos: 1,
    retain: false,
  };
}

/** NBIRTH with seq 0, then a DBIRTH for each device that is up. */
export function birthSequence(session: EdgeSession, wallMs: number): Sent {
  const { options, bdSeq, node, devices } = session;
  const rebirth: Metric = {
    name: REBIRTH,
    timestampMs: wallMs,
    datatype: 'Boolean',
    value: { kind: 'boolean', value: false },
  };
  const metrics = [bdSeqMetric(bdSeq, wallMs), rebirth, ...births(node)];
  const topic = { kind: 'NBIRTH', group: options.group, node: options.node } as const;
  let sent = send({ ...session, seq: 0 }, { topic, metrics, wallMs });
  for (const [device, { isUp }] of devices) {
    if (!isUp) continue;
    const next = deviceBirth(sent.session, device, wallMs);
    sent = { session: next.session, messages: [...sent.messages, ...next.messages] };
  }
  return sent;
}

export function deviceBirth(session: EdgeSession, device: string, wallMs: number): Sent {
  const { group, node } = session.options;
  const topic = { kind: 'DBIRTH', group, node, device } as const;
  const metrics = births(session.devices.get(device)?.metrics ?? new Map());
  return send(session, { topic, metrics, wallMs });
}

export function deviceDeath(session: EdgeSession, device: string, wallMs: number): Sent {
  const { group, node } = session.options;
  return send(session, { topic: { kind: 'DDEATH', group, node, device }, metrics: [], wallMs });
}

/**
 * The readings that say something new, oldest first, and the tables after them: one message, or
 * more where one metric has several values of the same time.
 */
export function dataMessages(
  session: EdgeSession,
  { device, readings, wallMs }: { device?: string; readings: readonly Reading[]; wallMs: number },
): Sent {
  const { group, node } = session.options;
  const own = device === undefined ? session.node : session.devices.get(device)!.metrics;
  const taken = takeReadings(own, readings);
  let next = withMetrics(session, device, taken.metrics);
  if (session.phase !== 'online') return { session: next, messages: [] };
  const topic: EdgeTopic =
    device === undefined ? { kind: 'NDATA', group, node } : { kind: 'DDATA', group, node, device };
  const messages: Publication[] = [];
  for (const metrics of withoutTwins(taken.changes)) {
    const sent = send(next, { topic, metrics, wallMs });
    next = sent.session;
    messages.push(...sent.messages);
  }
  return { session: next, messages };
}

function takeReadings(
  before: MetricTable,
  readings: readonly Reading[],
): { metrics: MetricTable; changes: readonly Metric[] } {
  const metrics = new Map(before);
  const changes: Metric[] = [];
  for (const reading of readings.toSorted((a, b) => a.timestampMs - b.timestampMs)) {
    const metric = metrics.get(reading.name)!;
    if (reading.isHistorical || !isKnown(metric, reading)) {
      changes.push(dataMetric(metric, reading));
    }
    if (!reading.isHistorical) metrics.set(reading.name, { ...metric, current: reading });
  }
  return { metrics, changes };
}

function withMetrics(
  session: EdgeSession,
  device: string | undefined,
  metrics: MetricTable,
): EdgeSession {
  if (device === undefined) return { ...session, node: metrics };
  const before = session.devices.get(device)!;
  const devices = new Map(session.devices).set(device, { ...before, metrics });
  return { ...session, devices };
}

/** In lists in which no metric has two values of one time. */
function withoutTwins(changes: readonly Metric[]): Metric[][] {
  const lists: { seen: Set<string>; metrics: Metric[] }[] = [];
  for (const change of changes) {
    const key = `${change.alias} ${change.timestampMs}`;
    let list = lists.find(({ seen }) => !seen.has(key));
    if (list === undefined) {
      list = { seen: new Set(), metrics: [] };
      lists.push(list);
    }
    list.seen.add(key);
    list.metrics.push(change);
  }
  return lists.map(({ metrics }) => metrics);
}

function births(metrics: MetricTable): Metric[] {
  return [...metrics.values()].map(birthMetric);
}

function bdSeqMetric(bdSeq: number, timestampMs: number): Metric {
  const value = { kind: 'long', value: BigInt(bdSeq) } as const;
  return { name: BD_SEQ, timestampMs, datatype: 'Int64', value };
}

function send(
  session: EdgeSession,
  { topic, metrics, wallMs }: { topic: EdgeTopic; metrics: readonly Metric[]; wallMs: number },
): Sent {
  const { seq } = session;
  const inOrder = metrics.toSorted((a, b) => (a.timestampMs ?? 0) - (b.timestampMs ?? 0));
  const message: Publication = {
    topic: formatTopic(topic),
    payload: encodePayload({ timestampMs: wallMs, seq, metrics: inOrder }),
    qos: 0,
    retain: false,
  };
  return { session: { ...session, seq: (seq + 1) % 256 }, messages: [message] };
}
