import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { EdgeEffect } from './edge-session.ts';
import { defaultHostNodeOptions, type HostNodeEffect } from './host-node-state.ts';
import { HostNodes } from './host-nodes.ts';
import type { MetricValue } from './metric.ts';
import type { Publication } from './publication.ts';
import { EdgeDriver, publications, TestClock } from './session.fixture.ts';

const ADDRESS = { group: 'g', node: 'n' };
const DEVICES = ['a', 'b'];
const REBIRTH_INTERVAL_MS = 100;
const double = (name: string) => ({ name, datatype: 'Double' }) as const;

/** What is live, by device and metric; `undefined` where the edge node is not. */
type View = Readonly<Record<string, Readonly<Record<string, MetricValue | null>>>> | undefined;

/**
 * An edge node, a host, and a network between them that loses messages and lets others overtake.
 * Where `sparesBirths`, NBIRTHs are neither lost nor overtaken by what follows them.
 */
class World {
  readonly #sparesBirths: boolean;
  readonly clock = new TestClock();
  readonly edge = new EdgeDriver({ rebirthIntervalMs: REBIRTH_INTERVAL_MS }, this.clock);
  readonly host = new HostNodes({ nodesMax: 1, node: defaultHostNodeOptions });
  flights: Publication[] = [];
  #will: Publication | undefined;
  #hostView: View;
  /** All that the edge node ever was. */
  readonly #truths = new Set<string>([canonical(undefined)]);
  #value = 0;

  constructor({ sparesBirths }: { sparesBirths: boolean }) {
    this.#sparesBirths = sparesBirths;
    this.edge.define([double('x'), double('y')]);
    for (const device of DEVICES) this.#act({ kind: 'device', device, isUp: true });
    this.connect();
  }

  get isHostSure(): boolean {
    const node = this.host.get(ADDRESS);
    return node?.phase === 'online' && node.gapEndsMs === undefined;
  }

  connect(): void {
    const effects = this.edge.connect();
    const connect = effects.find((effect) => effect.kind === 'connect');
    if (connect !== undefined) this.#will = connect.will;
    this.#send(this.edge.do({ kind: 'subscribed' }));
  }

  #act(action: { kind: 'device'; device: string; isUp: boolean }): void {
    const { device, isUp } = action;
    const metrics = [double('t')];
    this.#send(
      isUp
        ? this.edge.do({ kind: 'define', device, metrics, initial: [] })
        : this.edge.do({ kind: 'device-down', device }),
    );
  }

  report(device: string | undefined, name: string): void {
    this.#value += 1;
    const readings = [this.edge.reading(name, this.#value)];
    if (device !== undefined && !this.edge.session.devices.get(device)?.isUp) return;
    this.#send(this.edge.do({ kind: 'report', device, readings }));
  }

  toggle(device: string): void {
    const isUp = this.edge.session.devices.get(device)?.isUp ?? false;
    this.#act({ kind: 'device', device, isUp: !isUp });
  }

  /** The connection breaks: the broker sends the will, QoS 1, so that it is never lost. */
  breakLink(): void {
    this.edge.do({ kind: 'link-down' });
    if (this.#will !== undefined) this.flights.push(this.#will);
    this.#will = undefined;
  }

  lose(index: number): void {
    const lost = this.flights[index % Math.max(1, this.flights.length)];
    if (lost?.qos !== 0 || (this.#sparesBirths && isBirth(lost))) return;
    this.flights = this.flights.filter((each) => each !== lost);
  }

  /** Delivers one of the messages under way, the oldest or any other. */
  arrive(index: number, isAnswered: boolean): void {
    const birth = this.#sparesBirths ? this.flights.findIndex(isBirth) : -1;
    const reach = birth < 0 ? this.flights.length : birth + 1;
    const [message] = this.flights.splice(index % Math.max(1, reach), 1);
    if (message === undefined) return;
    const delivery = { ...message, retained: false };
    const { effects } = this.host.deliver(delivery, this.clock.now())!;
    this.#heed(effects, isAnswered);
  }

  advance(ms: number, isAnswered: boolean): void {
    this.clock.advance(ms);
    this.#heed(this.host.tick(ADDRESS, this.clock.now()).effects, isAnswered);
    this.#send(this.edge.do({ kind: 'tick' }));
  }

  /** The host sees what there is now, or knows that it does not. */
  assertHonest(): void {
    if (this.isHostSure) assert.deepEqual(this.#hostView, this.edgeView());
  }

  edgeView(): View {
    const { session } = this.edge;
    if (session.phase !== 'online' && session.phase !== 'held') return undefined;
    const values = (metrics: typeof session.node) =>
      Object.fromEntries([...metrics].map(([name, { current }]) => [name, current.value]));
    const up = [...session.devices].filter(([, { isUp }]) => isUp);
    const devices = up.map(([device, { metrics }]) => [device, values(metrics)]);
    return { '': values(session.node), ...Object.fromEntries(devices) };
  }

  /** Births go out one after the other: what is live in between counts as well. */
  #send(effects: readonly EdgeEffect[]): void {
    const whole = this.edgeView();
    for (const message of publications(effects)) {
      this.flights.push(message);
      if (whole === undefined) continue;
      const ids = DEVICES.filter((id) => whole[id] !== undefined);
      for (let count = 0; count <= ids.length; count++) {
        const part = ['', ...ids.slice(0, count)].map((id) => [id, whole[id]]);
        this.#truths.add(canonical(Object.fromEntries(part)));
      }
      this.#truths.add(canonical(whole));
    }
  }

  #heed(effects: readonly HostNodeEffect[], isAnswered: boolean): void {
    for (const effect of effects) {
      this.#see(effect);
      if (effect.kind !== 'publish' || !isAnswered) continue;
      const { topic, payload } = effect.message;
      this.#send(this.edge.deliver(topic, payload));
    }
    const shown = canonical(this.#hostView);
    if (!this.#sparesBirths) return;
    assert.ok(this.#truths.has(shown), `what the host sees was never so: ${shown}`);
  }

  #see(effect: HostNodeEffect): void {
    const view = this.#hostView;
    switch (effect.kind) {
      case 'node-born':
        this.#hostView = { '': byName(effect.values) };
        break;
      case 'device-born':
        this.#hostView = { ...view, [effect.device]: byName(effect.values) };
        break;
      case 'values': {
        const key = effect.device ?? '';
        this.#hostView = { ...view, [key]: { ...view?.[key], ...byName(effect.values) } };
        break;
      }
      case 'device-died': {
        const { [effect.device]: _, ...rest } = view ?? {};
        this.#hostView = rest;
        break;
      }
      case 'node-died':
      case 'node-lost':
        this.#hostView = undefined;
        break;
      default:
    }
  }
}

function byName(values: readonly { name: string; value: MetricValue | null }[]) {
  const entries = values.map(({ name, value }) => [name, value] as const);
  return Object.fromEntries(entries.filter(([name]) => name !== 'Node Control/Rebirth'));
}

function canonical(view: View): string {
  return JSON.stringify(view, (_, value) =>
    value === null || typeof value !== 'object'
      ? value
      : Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  );
}

function isBirth({ topic }: Publication): boolean {
  return topic.includes('/NBIRTH/');
}

type Action = (world: World) => void;

const anyIndex = fc.nat(5);
const anyAction: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .constantFrom(
        ...([
          [undefined, 'x'],
          [undefined, 'y'],
          ['a', 't'],
          ['b', 't'],
        ] as const),
      )
      .map(
        ([device, name]) =>
          (world: World) =>
            world.report(device, name),
      ),
  },
  { weight: 8, arbitrary: fc.boolean().map((yes) => (world: World) => world.arrive(0, yes)) },
  {
    weight: 3,
    arbitrary: fc.tuple(anyIndex, fc.boolean()).map(
      ([index, yes]) =>
        (world: World) =>
          world.arrive(index, yes),
    ),
  },
  { weight: 2, arbitrary: anyIndex.map((index) => (world: World) => world.lose(index)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...DEVICES).map((device) => (world: World) => world.toggle(device)),
  },
  { weight: 1, arbitrary: fc.constant((world: World) => world.breakLink()) },
  { weight: 2, arbitrary: fc.constant((world: World) => world.connect()) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(10, 700, 3000), fc.boolean()).map(
      ([ms, yes]) =>
        (world: World) =>
          world.advance(ms, yes),
    ),
  },
);

/** What is lost behind the last message nothing tells of: one more is sent, and arrives. */
function settle(world: World): void {
  world.clock.advance(1);
  while (world.flights.length > 0) world.arrive(0, false);
  // A will is never lost.
  if (world.edgeView() === undefined) world.assertHonest();
  world.connect();
  // A birth that was held goes out.
  world.advance(REBIRTH_INTERVAL_MS, false);
  world.report(undefined, 'x');
  while (world.flights.length > 0) world.arrive(0, false);
}

/** Time passes, and nothing is lost any more. */
function recover(world: World): void {
  for (let i = 0; i < 1000; i++) {
    // A host that has given up asks again when it hears something.
    if (i % 300 === 299) world.report(undefined, 'x');
    world.advance(1000, true);
    while (world.flights.length > 0) world.arrive(0, true);
  }
  assert.ok(world.isHostSure, 'the host is in step at last');
  world.assertHonest();
}

describe('an edge node and a host over a network that loses and reorders', () => {
  for (const sparesBirths of [true, false]) {
    const what = sparesBirths ? 'all but births' : 'anything';
    it(`of ${what} are in step, or the host knows that it is not; in the end they are`, () => {
      fc.assert(
        fc.property(fc.array(anyAction, { maxLength: 120 }), (actions) => {
          const world = new World({ sparesBirths });
          for (const action of actions) {
            world.clock.advance(1);
            action(world);
          }
          settle(world);
          world.assertHonest();
          recover(world);
        }),
        { numRuns: 150 },
      );
    });
  }
});
