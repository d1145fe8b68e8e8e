import { decodeHostState, statePublication } from './host-state.ts';
import type {
  ConnectRequest,
  Delivery,
  Instant,
  Publication,
  Subscription,
} from './publication.ts';
import { everyTopicOf, formatTopic } from './topic.ts';

export interface HostOptions {
  /** The host application's id, its own among all hosts. */
  readonly host: string;
  /** The groups it listens to. */
  readonly groups: readonly string[];
}

/**
 * A host application's session with one broker; plain data. With several brokers, each has its own.
 */
export interface HostSession {
  readonly options: HostOptions;
  readonly phase: 'offline' | 'connecting' | 'subscribing' | 'online';
  /** Wall time of the newest CONNECT, which birth and will both state. */
  readonly connectMs: number;
}

export type HostInput = { readonly at: Instant } & (
  | { readonly kind: 'connect' }
  | { readonly kind: 'connected' }
  | { readonly kind: 'subscribed' }
  | { readonly kind: 'link-down' }
  | { readonly kind: 'delivery'; readonly message: Delivery }
  | { readonly kind: 'leave' }
);

export type HostEffect =
  | ({ readonly kind: 'connect' } & ConnectRequest)
  | { readonly kind: 'subscribe'; readonly subscriptions: readonly Subscription[] }
  | { readonly kind: 'publish'; readonly message: Publication }
  /** With a DISCONNECT, when all before it is published. */
  | { readonly kind: 'disconnect' };

export interface HostStep {
  readonly session: HostSession;
  readonly effects: readonly HostEffect[];
}

export function createHostSession(options: HostOptions): HostSession {
  return { options, phase: 'offline', connectMs: 0 };
}

/**
 * Advances a host application's own session by one input: it keeps STATE true (Sparkplug 3.0, 5.3,
 * 5.10 and 5.11). What edge nodes send goes to `HostNodes`. Effects are performed in their order.
 */
export function stepHost(session: HostSession, input: HostInput): HostStep {
  const { options, phase, connectMs } = session;
  const { wallMs } = input.at;
  switch (input.kind) {
    case 'connect':
      if (phase !== 'offline') return { session, effects: [] };
      return {
        session: { ...session, phase: 'connecting', connectMs: wallMs },
        effects: [
          {
            kind: 'connect',
            cleanSession: true,
            sessionExpirySeconds: 0,
            will: statePublication(options.host, { online: false, timestampMs: wallMs }),
          },
        ],
      };
    case 'connected':
      if (phase !== 'connecting') return { session, effects: [] };
      return {
        session: { ...session, phase: 'subscribing' },
        effects: [{ kind: 'subscribe', subscriptions: subscriptions(options) }],
      };
    case 'subscribed':
      if (phase !== 'subscribing') return { session, effects: [] };
      return { session: { ...session, phase: 'online' }, effects: [online(session)] };
    case 'delivery':
      return { session, effects: isDeniedBy(session, input.message) ? [online(session)] : [] };
    case 'link-down':
      return { session: { ...session, phase: 'offline' }, effects: [] };
    case 'leave':
      return leave(session, Math.max(wallMs, connectMs));
  }
}

function subscriptions({ host, groups }: HostOptions): Subscription[] {
  const filters = groups.map(everyTopicOf);
  return [formatTopic({ kind: 'STATE', host }), ...filters].map((filter) => ({ filter, qos: 1 }));
}

/** The will of an earlier connection may come after this one's birth. */
function isDeniedBy({ options, phase }: HostSession, { topic, payload }: Delivery): boolean {
  if (phase !== 'online' || topic !== formatTopic({ kind: 'STATE', host: options.host })) {
    return false;
  }
  const state = decodeHostState(payload);
  return !state.ok || !state.value.online;
}

function online({ options, connectMs }: HostSession): HostEffect {
  const message = statePublication(options.host, { online: true, timestampMs: connectMs });
  return { kind: 'publish', message };
}

/** Edge nodes heed a farewell only where it is not older than the birth. */
function leave(session: HostSession, timestampMs: number): HostStep {
  const { options, phase } = session;
  if (phase === 'offline') return { session, effects: [] };
  const message = statePublication(options.host, { online: false, timestampMs });
  const farewell: HostEffect[] = phase === 'online' ? [{ kind: 'publish', message }] : [];
  return {
    session: { ...session, phase: 'offline' },
    effects: [...farewell, { kind: 'disconnect' }],
  };
}
