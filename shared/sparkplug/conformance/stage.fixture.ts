import type { EdgeEffect, EdgeInput } from '../edge-session.ts';
import { stepEdge } from '../edge-session.ts';
import { createEdgeSession } from '../edge-state.ts';
import { commandTo, rebirthRequest } from '../host-commands.ts';
import type { HostNodes } from '../host-nodes.ts';
import { createHostSession, type HostEffect, type HostInput, stepHost } from '../host-session.ts';
import { statePublication } from '../host-state.ts';
import type { ConnectRequest, Publication, Subscription } from '../publication.ts';
import type { Capture, CaptureEvent } from './capture.ts';
import { filterMatches } from './connections.ts';

type WithoutTime<T> = T extends unknown ? Omit<T, 'at'> : never;
type Client = 'edge' | 'host';

const ADDRESS = { group: 'plant', node: 'press' };
const START_MS = 1_790_000_000_000;

/** This project's edge node and host application at a broker that notes all they do. */
export class Stage {
  readonly #protocol: 4 | 5;
  readonly #events: CaptureEvent[] = [];
  readonly #kept = new Map<string, Publication>();
  readonly #filters = { edge: new Set<string>(), host: new Set<string>() };
  readonly #wills: { edge?: Publication; host?: Publication } = {};
  readonly #tasks: (() => void)[] = [];
  readonly #nodes: HostNodes;
  #edge = createEdgeSession({
    ...ADDRESS,
    primaryHost: 'scada',
    serverCount: 1,
    rebirthIntervalMs: 1000,
  });
  #host = createHostSession({ host: 'scada', groups: ['plant'] });
  #elapsedMs = 0;

  constructor(protocol: 4 | 5, nodes: HostNodes) {
    this.#protocol = protocol;
    this.#nodes = nodes;
  }

  get capture(): Capture {
    return this.#events;
  }

  get wallMs(): number {
    return START_MS + this.#elapsedMs;
  }

  advance(ms: number): void {
    this.#elapsedMs += ms;
  }

  edge(input: WithoutTime<EdgeInput>): void {
    this.#tasks.push(() => {
      const step = stepEdge(this.#edge, { ...input, at: this.#now() } as EdgeInput);
      this.#edge = step.session;
      for (const effect of step.effects) this.#performEdge(effect);
    });
    this.#settle();
  }

  host(input: WithoutTime<HostInput>): void {
    this.#tasks.push(() => {
      const step = stepHost(this.#host, { ...input, at: this.#now() } as HostInput);
      this.#host = step.session;
      for (const effect of step.effects) this.#performHost(effect);
    });
    this.#settle();
  }

  /** The link of one of them is cut: the broker sends its will. */
  cut(client: Client): void {
    const isEdge = client === 'edge';
    if (this.#wills[client] === undefined) return;
    this.#note({ kind: 'disconnect', client });
    const will = this.#close(client);
    if (isEdge) this.edge({ kind: 'link-down' });
    else this.host({ kind: 'link-down' });
    this.#publish(undefined, will!);
    this.#settle();
  }

  /** The will of a connection of long ago comes late. */
  doubtHost(): void {
    const state = { online: false, timestampMs: START_MS - 1000 };
    this.#publish(undefined, statePublication('scada', state));
    this.#settle();
  }

  askForRebirth(): void {
    if (this.#host.phase !== 'online') return;
    this.#publish('host', rebirthRequest(ADDRESS, this.wallMs));
    this.#settle();
  }

  write(device: string, name: string, value: boolean): void {
    const node = this.#nodes.get(ADDRESS);
    if (node === undefined || this.#host.phase !== 'online') return;
    const command = commandTo(node, { device, writes: [{ name, value }], wallMs: this.wallMs });
    if (command.ok) this.#publish('host', command.value);
    this.#settle();
  }

  #now() {
    return { wallMs: this.wallMs, monotonicMs: this.#elapsedMs };
  }

  #settle(): void {
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) {
      this.#elapsedMs += 1;
      task();
    }
  }

  #note(event: WithoutTime<CaptureEvent>): void {
    this.#events.push({ ...event, at: this.wallMs } as CaptureEvent);
  }

  #performEdge(effect: EdgeEffect): void {
    if (effect.kind === 'connect')
      this.#connect('edge', effect, () => this.edge({ kind: 'connected' }));
    if (effect.kind === 'subscribe') {
      this.#subscribe('edge', effect.subscriptions);
      this.#tasks.push(() => this.edge({ kind: 'subscribed' }));
    }
    if (effect.kind === 'publish') this.#publish('edge', effect.message);
    if (effect.kind !== 'disconnect') return;
    const reason = this.#protocol === 5 ? 4 : 0;
    this.#note({ kind: 'disconnect', client: 'edge', ...(effect.sendPacket ? { reason } : {}) });
    const will = this.#close('edge');
    if (!effect.sendPacket || reason === 4) this.#publish(undefined, will!);
  }

  #performHost(effect: HostEffect): void {
    if (effect.kind === 'connect')
      this.#connect('host', effect, () => this.host({ kind: 'connected' }));
    if (effect.kind === 'subscribe') {
      this.#subscribe('host', effect.subscriptions);
      this.#tasks.push(() => this.host({ kind: 'subscribed' }));
    }
    if (effect.kind === 'publish') this.#publish('host', effect.message);
    if (effect.kind !== 'disconnect') return;
    this.#note({ kind: 'disconnect', client: 'host', reason: 0 });
    this.#close('host');
  }

  #connect(client: Client, { cleanSession, will }: ConnectRequest, then: () => void): void {
    this.#note({ kind: 'connect', client, protocol: this.#protocol, clean: cleanSession });
    this.#note({ kind: 'will', client, ...will });
    this.#wills[client] = will;
    this.#tasks.push(then);
  }

  #close(client: Client): Publication | undefined {
    const will = this.#wills[client];
    delete this.#wills[client];
    this.#filters[client].clear();
    return will;
  }

  #subscribe(client: Client, subscriptions: readonly Subscription[]): void {
    for (const { filter, qos } of subscriptions) {
      this.#note({ kind: 'subscribe', client, topic: filter, qos });
      this.#filters[client].add(filter);
      for (const message of this.#kept.values()) {
        if (filterMatches(filter, message.topic)) this.#deliver(client, message, true);
      }
    }
  }

  #publish(client: Client | undefined, message: Publication): void {
    this.#note({ kind: 'publish', ...(client === undefined ? {} : { client }), ...message });
    if (message.retain) this.#kept.set(message.topic, message);
    for (const other of ['edge', 'host'] as const) {
      const isWanted = [...this.#filters[other]].some((one) => filterMatches(one, message.topic));
      if (isWanted) this.#deliver(other, message, false);
    }
  }

  #deliver(client: Client, { topic, payload }: Publication, retained: boolean): void {
    const message = { topic, payload, retained };
    this.#tasks.push(() => {
      if (client === 'edge') this.edge({ kind: 'delivery', message });
      else {
        this.host({ kind: 'delivery', message });
        this.#nodes.deliver(message, this.#now());
      }
    });
  }
}
