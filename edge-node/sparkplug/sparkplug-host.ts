import type { Clock } from '#runtime/clock/clock.ts';
import type { MqttMessage } from '#runtime/mqtt/mqtt-client.ts';
import { MqttLink } from '#runtime/mqtt/mqtt-link.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { Log } from '#runtime/observe/log.ts';
import { defaultHostNodeOptions } from '#shared/sparkplug/host-node-state.ts';
import { HostNodes, type NodeEffects } from '#shared/sparkplug/host-nodes.ts';
import {
  createHostSession,
  type HostEffect,
  type HostInput,
  type HostSession,
  stepHost,
} from '#shared/sparkplug/host-session.ts';
import type { Instant } from '#shared/sparkplug/publication.ts';
import { type NodeAddress, parseTopic } from '#shared/sparkplug/topic.ts';
import { clientIdOf } from '#shared/wire/client-ids.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import { DesiredWrites } from './desired-writes.ts';
import { LiveState } from './live-state.ts';
import { NodeTable, type Presence, type SparkplugNodeStatus } from './node-table.ts';

const KEEPALIVE_SECONDS = 10;
const RECONNECT_PERIOD_MS = 200;
/** A device agent has a handful of each; what a board may cost here is bounded by these. */
const NODE_LIMITS = { devicesMax: 100, metricsMax: 1000, bufferBytesMax: 256 * 2 ** 10 };
/** Wakes are grouped by so much, so that a node that makes many costs few timers. */
const WAKE_GRAIN_MS = 20;

export interface SparkplugHostOptions {
  readonly url: string;
  /** The host application's id, its own among all hosts. */
  readonly host: string;
  /** What the broker knows this host by. */
  readonly token: string;
  readonly group: string;
  readonly nodesMax: number;
  /** The twins that show what is heard, by the edge node's name. */
  readonly twins: Pick<TwinStore, 'change' | 'get' | 'samples' | 'showAhead'>;
  readonly clock: Clock;
  readonly events: Events;
  readonly log: Log;
}

export interface SparkplugStatus {
  readonly host: string;
  /** Whether the host's own STATE says so. */
  readonly online: boolean;
  readonly nodes: readonly SparkplugNodeStatus[];
}

type WithoutTime<T> = T extends unknown ? Omit<T, 'at'> : never;

/**
 * The edge node as a host application of Sparkplug B 3.0: says by its STATE that it is there, keeps
 * up with the edge nodes of its group, and asks for births where a message is missing. What it
 * hears goes into the twins: newest state, presence, and what others write to the outputs. It has a
 * connection of its own, since STATE needs a will. At most `nodesMax` edge nodes are known; for a
 * new one the one that has been dead the longest is forgotten. What they do wrong are events.
 *
 * Errors (exit 78): `broker-url-invalid`.
 */
export class SparkplugHost implements AsyncDisposable {
  readonly #options: SparkplugHostOptions;
  readonly #link: MqttLink;
  readonly #nodes: HostNodes;
  readonly #table = new NodeTable();
  readonly #live: LiveState;
  readonly #writes: DesiredWrites;
  readonly #wakes = new Map<string, () => void>();
  #session: HostSession;

  constructor(options: SparkplugHostOptions) {
    const { url, host, token, group, nodesMax, twins: store, clock, events, log } = options;
    this.#options = options;
    this.#live = new LiveState({ store, clock, events });
    this.#writes = new DesiredWrites({ store, clock, events });
    this.#session = createHostSession({ host, groups: [group] });
    this.#nodes = new HostNodes({
      nodesMax,
      node: { ...defaultHostNodeOptions, ...NODE_LIMITS },
    });
    const limits = { keepaliveSeconds: KEEPALIVE_SECONDS, reconnectPeriodMs: RECONNECT_PERIOD_MS };
    this.#link = new MqttLink(
      { url, clientId: clientIdOf(host, 'host'), username: token, ...limits, log },
      {
        due: () => this.#do({ kind: 'connect' }),
        connected: () => this.#do({ kind: 'connected' }),
        subscribed: () => {
          this.#do({ kind: 'subscribed' });
          this.#linkChanged('link-up');
        },
        message: (message) => this.#receive(message),
        closed: () => {
          this.#do({ kind: 'link-down' });
          this.#linkChanged('link-down');
        },
      },
    );
    this.#do({ kind: 'connect' });
  }

  status(): SparkplugStatus {
    const { options, phase } = this.#session;
    return { host: options.host, online: phase === 'online', nodes: this.#table.all() };
  }

  /** Whether the device is seen live; `undefined` of one that was never heard of. */
  presenceOf(device: string): Presence | undefined {
    return this.#table.presenceOf({ group: this.#options.group, node: device });
  }

  /** Says that it is offline, where there is a connection, and ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#do({ kind: 'leave' });
    await this.#link[Symbol.asyncDispose]();
    for (const cancel of this.#wakes.values()) cancel();
    this.#wakes.clear();
    this.#live[Symbol.dispose]();
  }

  #do(input: WithoutTime<HostInput>): void {
    const { session, effects } = stepHost(this.#session, {
      ...input,
      at: this.#now(),
    } as HostInput);
    this.#session = session;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: HostEffect): void {
    switch (effect.kind) {
      case 'connect':
        this.#link.open(effect.will);
        break;
      case 'subscribe':
        this.#link.subscribe(effect.subscriptions.map(({ filter }) => filter));
        break;
      case 'publish':
        this.#link.publish(effect.message);
        break;
      case 'disconnect':
        this.#link.close({ sendPacket: true });
    }
  }

  #receive(message: MqttMessage): void {
    this.#do({ kind: 'delivery', message });
    const parsed = parseTopic(message.topic);
    if (!parsed.ok || parsed.value.kind === 'STATE') return;
    const topic = parsed.value;
    if (topic.kind === 'DCMD' && !message.retained) {
      const { node: name, device: feature } = topic;
      const node = this.#nodes.get(topic);
      this.#writes.take({ node, name, feature, payload: message.payload });
    }
    if (topic.kind === 'DCMD' || topic.kind === 'NCMD') return;
    this.#makeRoom(topic);
    const did = this.#nodes.deliver(message, this.#now());
    if (did !== undefined) this.#take(did);
  }

  #makeRoom(address: NodeAddress): void {
    if (this.#nodes.get(address)) return;
    if (this.#table.size < this.#options.nodesMax) return;
    const dead = this.#table.longestDead();
    if (dead === undefined) return;
    this.#nodes.forget(dead);
    this.#table.forget(dead);
    this.#live.forget(dead.node);
  }

  #linkChanged(kind: 'link-up' | 'link-down'): void {
    for (const did of this.#nodes.linkChanged(kind, this.#now())) this.#take(did);
  }

  #take(did: NodeEffects): void {
    const { address, effects } = did;
    if (this.#nodes.get(address) !== undefined) {
      this.#table.take(did, this.#options.clock.nowMs());
      this.#live.take(did);
    }
    for (const effect of effects) {
      if (effect.kind === 'publish') this.#link.publish(effect.message);
      else if (effect.kind === 'wake') this.#wake(address, effect.atMs);
      else if (effect.kind === 'refused') {
        const { code, message } = effect.failure;
        this.#options.events.record('warn', code, { ...address, reason: message });
      }
    }
  }

  #wake(address: NodeAddress, atMs: number): void {
    const { clock } = this.#options;
    const dueMs = Math.ceil(atMs / WAKE_GRAIN_MS) * WAKE_GRAIN_MS;
    const key = `${address.group}/${address.node}/${dueMs}`;
    if (this.#wakes.has(key)) return;
    const cancel = clock.after(Math.max(0, dueMs - clock.monotonicMs()), () => {
      this.#wakes.delete(key);
      this.#take(this.#nodes.tick(address, this.#now()));
    });
    this.#wakes.set(key, cancel);
  }

  #now(): Instant {
    const { clock } = this.#options;
    return { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
  }
}
