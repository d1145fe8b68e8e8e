import type { Failure } from '../basics/result.ts';
import { type MetricWrite, readCommand } from './edge-commands.ts';
import {
  birthSequence,
  dataMessages,
  deviceBirth,
  deviceDeath,
  isWritable,
  nodeDeath,
  type Sent,
  subscriptions,
} from './edge-messages.ts';
import { checkReading, type MetricDefinition, type Reading } from './edge-metrics.ts';
import { defineMetrics, type EdgeSession } from './edge-state.ts';
import { decodeHostState } from './host-state.ts';
import type { Template } from './metric.ts';
import type {
  ConnectRequest,
  Delivery,
  Instant,
  Publication,
  Subscription,
} from './publication.ts';
import { checkInstance } from './template-rules.ts';
import { formatTopic, parseTopic } from './topic.ts';

export type EdgeInput = { readonly at: Instant } & (
  | { readonly kind: 'connect' }
  /** The broker accepted the connection. */
  | { readonly kind: 'connected' }
  /** The broker granted what was subscribed to. */
  | { readonly kind: 'subscribed' }
  /** `isUnsent`: no CONNECT went out, since the broker could not be reached at all. */
  | { readonly kind: 'link-down'; readonly isUnsent?: boolean }
  | { readonly kind: 'delivery'; readonly message: Delivery }
  /** Metrics of the edge node, or of a device that is up from now on. */
  | {
      readonly kind: 'define';
      readonly device?: string;
      readonly metrics: readonly MetricDefinition[];
      readonly initial: readonly Reading[];
    }
  | { readonly kind: 'device-down'; readonly device: string }
  | { readonly kind: 'report'; readonly device?: string; readonly readings: readonly Reading[] }
  /** Goes away on purpose. */
  | { readonly kind: 'leave' }
  | { readonly kind: 'tick' }
);

export type EdgeEffect =
  /** `bdSeq` must be kept before the CONNECT goes out. */
  | ({ readonly kind: 'connect'; readonly bdSeq: number } & ConnectRequest)
  | { readonly kind: 'subscribe'; readonly subscriptions: readonly Subscription[] }
  | { readonly kind: 'publish'; readonly message: Publication }
  /**
   * Ends the connection when all before it is published: with a DISCONNECT, or without, so that the
   * broker sends the will of an edge node that was never born.
   */
  | {
      readonly kind: 'disconnect';
      readonly sendPacket: boolean;
      /**
       * MQTT 5's "disconnect with will message", which the specification asks for (6.4.24); hosts
       * know the will for a repetition by its bdSeq. MQTT 3.1.1 has none.
       */
      readonly reasonCode: 4;
      readonly next: 'stay-away' | 'next-server';
    }
  | {
      readonly kind: 'write';
      readonly device?: string;
      readonly writes: readonly MetricWrite[];
    }
  /** A tick is wanted at that monotonic time. */
  | { readonly kind: 'wake'; readonly atMs: number }
  | { readonly kind: 'refused'; readonly failure: Failure };

export interface EdgeStep {
  readonly session: EdgeSession;
  readonly effects: readonly EdgeEffect[];
}

/** Whether what is reported now goes out; if not, it only becomes the next birth's value. */
export function isOnline({ phase }: EdgeSession): boolean {
  return phase === 'online';
}

/**
 * Advances a Sparkplug edge node's session by one input (Sparkplug 3.0, 5.4 to 5.9 and 6.4). The
 * effects are to be performed in their order.
 */
export function stepEdge(session: EdgeSession, input: EdgeInput): EdgeStep {
  const { wallMs } = input.at;
  switch (input.kind) {
    case 'connect':
      return connect(session, wallMs);
    case 'connected':
      if (session.phase !== 'connecting') return unchanged(session);
      return {
        session: { ...session, phase: 'subscribing', isBdSeqUnused: false },
        effects: [{ kind: 'subscribe', subscriptions: subscriptions(session) }],
      };
    case 'subscribed':
      return session.phase === 'subscribing' ? awaitHost(session, input.at) : unchanged(session);
    case 'link-down': {
      if (session.phase === 'offline') return unchanged(session);
      const isBdSeqUnused = session.phase === 'connecting' && input.isUnsent === true;
      return { session: { ...offline(session), isBdSeqUnused }, effects: [] };
    }
    case 'delivery':
      return receive(session, input.message, input.at);
    case 'define':
      return define(session, input, input.at);
    case 'device-down':
      return loseDevice(session, input.device, wallMs);
    case 'report':
      return report(session, input, wallMs);
    case 'leave':
      return disconnect(session, 'stay-away', wallMs);
    case 'tick':
      return session.phase === 'held' ? bear(session, input.at) : unchanged(session);
  }
}

function connect(session: EdgeSession, wallMs: number): EdgeStep {
  if (session.phase !== 'offline') return unchanged(session);
  const bdSeq = session.isBdSeqUnused ? session.bdSeq : (session.bdSeq + 1) % 256;
  const next: EdgeSession = { ...session, phase: 'connecting', bdSeq, isBdSeqUnused: false };
  const request: ConnectRequest = {
    cleanSession: true,
    sessionExpirySeconds: 0,
    will: nodeDeath(next, wallMs),
  };
  return { session: next, effects: [{ kind: 'connect', bdSeq, ...request }] };
}

/** Born at once, or when the primary host is online. */
function awaitHost(session: EdgeSession, at: Instant): EdgeStep {
  const { options, host } = session;
  if (options.primaryHost === undefined || host?.online) return bear(session, at, { isNew: true });
  const waiting: EdgeSession = { ...session, phase: 'waiting' };
  if (host === undefined || options.serverCount === 1) return unchanged(waiting);
  return disconnect(waiting, 'next-server', at.wallMs);
}

/** The births, at once where they are the first or the last are long enough ago. */
function bear(session: EdgeSession, at: Instant, { isNew = false } = {}): EdgeStep {
  const dueMs = session.bornMs + session.options.rebirthIntervalMs;
  if (!isNew && at.monotonicMs < dueMs) {
    return { session: { ...session, phase: 'held' }, effects: [{ kind: 'wake', atMs: dueMs }] };
  }
  const born: EdgeSession = { ...session, phase: 'online', bornMs: at.monotonicMs };
  return published(birthSequence(born, at.wallMs));
}

function receive(session: EdgeSession, message: Delivery, at: Instant): EdgeStep {
  const parsed = parseTopic(message.topic);
  if (!parsed.ok) return refused(session, parsed.error);
  const topic = parsed.value;
  const { group, node, primaryHost } = session.options;
  if (topic.kind === 'STATE') {
    return topic.host === primaryHost ? heedHost(session, message, at) : unchanged(session);
  }
  const isOwn = topic.group === group && topic.node === node;
  // A command that a broker kept was meant for some earlier moment.
  if (!isOwn || message.retained || !isBorn(session)) return unchanged(session);
  if (topic.kind !== 'NCMD' && topic.kind !== 'DCMD') return unchanged(session);
  const device = topic.kind === 'DCMD' ? topic.device : undefined;
  const { wantsRebirth, writes, refused: failures } = readCommand(session, device, message.payload);
  const effects: EdgeEffect[] = failures.map((failure) => ({ kind: 'refused', failure }));
  if (writes.length > 0) {
    effects.push({ kind: 'write', ...(device === undefined ? {} : { device }), writes });
  }
  if (!wantsRebirth) return { session, effects };
  const reborn = bear(session, at);
  return { session: reborn.session, effects: [...effects, ...reborn.effects] };
}

function heedHost(session: EdgeSession, { payload }: Delivery, at: Instant): EdgeStep {
  if (session.phase === 'offline' || session.phase === 'connecting') return unchanged(session);
  const decoded = decodeHostState(payload);
  if (!decoded.ok) return refused(session, decoded.error);
  const host = decoded.value;
  // The will of a session that the host has replaced since.
  if (host.timestampMs < (session.host?.timestampMs ?? 0)) return unchanged(session);
  const next: EdgeSession = { ...session, host };
  if (next.phase === 'waiting') return awaitHost(next, at);
  if (host.online || !isBorn(next)) return unchanged(next);
  return disconnect(next, 'next-server', at.wallMs);
}

function define(
  session: EdgeSession,
  input: Extract<EdgeInput, { kind: 'define' }>,
  at: Instant,
): EdgeStep {
  const { device, metrics, initial } = input;
  const defined = defineMetrics(session, { device, metrics, initial, wallMs: at.wallMs });
  if (!defined.ok) return refused(session, defined.error);
  const next = defined.value;
  if (!isBorn(next)) return unchanged(next);
  if (device === undefined) return bear(next, at);
  const effects: EdgeEffect[] = [];
  const { group, node } = session.options;
  if (isWritable(next.devices.get(device)!.metrics)) {
    const filter = formatTopic({ kind: 'DCMD', group, node, device });
    effects.push({ kind: 'subscribe', subscriptions: [{ filter, qos: 1 }] });
  }
  // While a birth is held, the device is born with it.
  if (next.phase === 'held') return { session: next, effects };
  const born = published(deviceBirth(next, device, at.wallMs));
  return { session: born.session, effects: [...effects, ...born.effects] };
}

function loseDevice(session: EdgeSession, device: string, wallMs: number): EdgeStep {
  const before = session.devices.get(device);
  if (!before?.isUp) return unchanged(session);
  const devices = new Map(session.devices).set(device, { ...before, isUp: false });
  const next = { ...session, devices };
  return isBorn(next) ? published(deviceDeath(next, device, wallMs)) : unchanged(next);
}

function report(
  session: EdgeSession,
  { device, readings }: Extract<EdgeInput, { kind: 'report' }>,
  wallMs: number,
): EdgeStep {
  const unit = device === undefined ? undefined : session.devices.get(device);
  if (device !== undefined && !unit?.isUp) {
    const message = `${device} is not up; define its metrics before reporting them`;
    return refused(session, { code: 'device-unknown', message });
  }
  const effects: EdgeEffect[] = [];
  const sound = readings.filter((reading) => {
    const failure = readingFailure(session, unit?.metrics ?? session.node, reading);
    if (failure !== undefined) effects.push({ kind: 'refused', failure });
    return failure === undefined;
  });
  const sent = published(dataMessages(session, { device, readings: sound, wallMs }));
  return { session: sent.session, effects: [...effects, ...sent.effects] };
}

function readingFailure(
  session: EdgeSession,
  metrics: EdgeSession['node'],
  reading: Reading,
): Failure | undefined {
  const checked = checkReading(metrics, reading);
  if (!checked.ok) return checked.error;
  if (checked.value.definition.datatype !== 'Template' || reading.value === null) return undefined;
  const wrong = checkInstance(session.node, reading.value as Template, 'data');
  return wrong === undefined
    ? undefined
    : { code: 'value-mismatch', message: `the template ${reading.name} ${wrong}` };
}

/** An edge node that was born says farewell; one that was not must not publish anything. */
function disconnect(
  session: EdgeSession,
  next: 'stay-away' | 'next-server',
  wallMs: number,
): EdgeStep {
  if (session.phase === 'offline') return unchanged(session);
  const sendPacket = isBorn(session);
  const end: EdgeEffect = { kind: 'disconnect', sendPacket, reasonCode: 4, next };
  const farewell: EdgeEffect = { kind: 'publish', message: nodeDeath(session, wallMs) };
  return { session: offline(session), effects: sendPacket ? [farewell, end] : [end] };
}

function isBorn({ phase }: EdgeSession): boolean {
  return phase === 'online' || phase === 'held';
}

/** Brokers keep a host's STATE each for itself: what another said does not count on the next. */
function offline(session: EdgeSession): EdgeSession {
  return { ...session, phase: 'offline', host: undefined };
}

function published({ session, messages }: Sent): EdgeStep {
  return { session, effects: messages.map((message) => ({ kind: 'publish', message })) };
}

function refused(session: EdgeSession, failure: Failure): EdgeStep {
  return { session, effects: [{ kind: 'refused', failure }] };
}

function unchanged(session: EdgeSession): EdgeStep {
  return { session, effects: [] };
}
