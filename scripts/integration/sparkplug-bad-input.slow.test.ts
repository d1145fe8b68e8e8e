import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { MqttClient } from '#runtime/mqtt/mqtt-client.ts';
import { connectMqtt } from '#runtime/mqtt/mqtt-js-client.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import type { Metric, Payload } from '#shared/sparkplug/metric.ts';
import { encodePayload } from '#shared/sparkplug/payload.ts';
import { freePorts } from '../free-ports.ts';
import { until } from './deadline.ts';
import {
  type Plant,
  type PlantStatus,
  Program,
  plantStatus,
  untilSo,
  writePlant,
} from './sparkplug.fixture.ts';

/** What the flood may leave in memory at most; it is 600 MB in all. */
const GROWTH_BYTES_MAX = 200 * 2 ** 20;
const root = mkdtempSync(join(tmpdir(), 'diten-bad-sparkplug-'));
after(() => rmSync(root, { recursive: true, maxRetries: 5 }));

const double = (name: string, value: number, rest: Partial<Metric> = {}): Metric => ({
  ...{ name, timestampMs: Date.now(), datatype: 'Double', value: { kind: 'double', value } },
  ...rest,
});
const bdSeq = (value: number): Metric => ({
  ...{ name: 'bdSeq', timestampMs: Date.now(), datatype: 'Int64' },
  value: { kind: 'long', value: BigInt(value) },
});

/** An edge node that says whatever it is told to. */
class BadNode implements AsyncDisposable {
  readonly mqtt: MqttClient;
  readonly #name: string;

  constructor(url: string, name: string, epoch = randomBytes(8).toString('hex')) {
    this.#name = name;
    this.mqtt = connectMqtt({
      ...{ url, clientId: `${name}.sparkplug`, username: epoch, log },
      ...{ keepaliveSeconds: 10, reconnectPeriodMs: 60_000 },
    });
  }

  async say(verb: string, payload: Payload | Uint8Array): Promise<void> {
    const [kind, device] = verb.split('/');
    const topic = `spBv1.0/lab/${kind}/${this.#name}${device === undefined ? '' : `/${device}`}`;
    const bytes = payload instanceof Uint8Array ? payload : encodePayload(payload);
    await until(() => this.mqtt.connected);
    await this.mqtt.publish(topic, bytes);
  }

  async bear(metrics: readonly Metric[], rest: Partial<Payload> = {}): Promise<void> {
    const all = [bdSeq(0), ...metrics];
    await this.say('NBIRTH', { timestampMs: Date.now(), seq: 0, metrics: all, ...rest });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mqtt[Symbol.asyncDispose]();
  }
}

describe('a real edge node and bad Sparkplug', { timeout: 110_000 }, () => {
  let plant: Plant;
  let url: string;
  let edge: Program;
  let agent: Program;

  before(async () => {
    const [mqttPort = 0, httpPort = 0] = await freePorts(2);
    plant = { root, mqttPort, httpPort };
    url = `mqtt://127.0.0.1:${mqttPort}`;
    const files = writePlant(plant);
    edge = Program.diten('edge', '--config', files.edge);
    await status(({ sparkplug }) => sparkplug.online);
    agent = Program.diten('device', '--config', files.agent);
    await status(({ sparkplug }) => stateOf(sparkplug.nodes, 'mote-1') === 'born');
  });
  after(async () => {
    await agent[Symbol.asyncDispose]();
    await edge[Symbol.asyncDispose]();
  });

  const status = (isSo: (seen: PlantStatus) => boolean) => untilSo(() => plantStatus(plant), isSo);
  const stateOf = (nodes: PlantStatus['sparkplug']['nodes'], name: string) =>
    nodes.find(({ node }) => node === name)?.state;
  const counted = (code: string, count = 1) => status(({ events }) => (events[code] ?? 0) >= count);

  const cases: [string, string, (node: BadNode) => Promise<void>][] = [
    [
      'message-malformed',
      'malformed protobuf of a node that was born',
      async (node) => {
        await node.bear([double('x', 1)]);
        await node.say('NDATA', Uint8Array.from([0x12, 0xff, 0xff, 0x01]));
      },
    ],
    [
      'payload-malformed',
      'malformed protobuf of one nobody knows',
      (node) => node.say('NDATA', Uint8Array.from([0x12, 0xff, 0xff, 0x01])),
    ],
    [
      'metric-unknown',
      'metrics that no birth announced',
      async (node) => {
        await node.bear([double('x', 1)]);
        const metrics = [double('y', 1, { datatype: undefined })];
        await node.say('NDATA', { timestampMs: Date.now(), seq: 1, metrics });
      },
    ],
    [
      'alias-conflict',
      'one alias for two metrics',
      (node) => node.bear([double('x', 1, { alias: 1n }), double('y', 1, { alias: 1n })]),
    ],
    [
      'sequence-gap',
      'a jump of the sequence',
      async (node) => {
        await node.bear([double('x', 1)]);
        await node.say('NDATA', { timestampMs: Date.now(), seq: 77, metrics: [] });
      },
    ],
    [
      'birth-doubtful',
      'a birth by a clock that was years ahead, then right',
      async (node) => {
        await node.bear([double('x', 1)], { timestampMs: Date.now() + 1e11 });
        await node.bear([double('x', 1)]);
      },
    ],
    [
      'message-malformed',
      'a time beyond all time',
      async (node) => {
        await node.bear([double('x', 1)]);
        const metrics = [double('x', 2, { timestampMs: 2 ** 53 - 1 })];
        await node.say('NDATA', { timestampMs: 2 ** 54, seq: 1, metrics });
      },
    ],
    [
      'value-mismatch',
      'a value of another type',
      async (node) => {
        await node.bear([double('x', 1)]);
        const metrics = [{ name: 'x', value: { kind: 'string', value: 'hot' } } as const];
        await node.say('NDATA', { timestampMs: Date.now(), seq: 1, metrics });
      },
    ],
    [
      'node-too-large',
      'five thousand metrics in a birth',
      (node) => node.bear(Array.from({ length: 4900 }, (_, i) => double(`m${i}`, i))),
    ],
    [
      'birth-malformed',
      'a birth without bdSeq',
      async (node) => {
        await node.say('NBIRTH', { timestampMs: Date.now(), seq: 0, metrics: [] });
      },
    ],
    [
      'death-malformed',
      'a death without bdSeq',
      async (node) => {
        await node.bear([double('x', 1)]);
        await node.say('NDEATH', { timestampMs: Date.now(), metrics: [] });
      },
    ],
  ];
  for (const [index, [code, what, act]] of cases.entries()) {
    it(`has a code for ${what}: ${code}`, async () => {
      const before = (await status(() => true)).events[code] ?? 0;
      await using node = new BadNode(url, `bad-${index}`);
      await act(node);
      await counted(code, before + 1);
    });
  }

  it('takes NaN and infinities for values, and a twin never has them', async () => {
    await using node = new BadNode(url, 'odd-1');
    await node.bear([double('a', Number.NaN), double('b', Number.POSITIVE_INFINITY)]);
    const birth = { timestampMs: Date.now(), seq: 1, metrics: [double('t', Number.NaN)] };
    await node.say('DBIRTH/air', birth);
    await status(({ sparkplug }) => stateOf(sparkplug.nodes, 'odd-1') === 'born');
    assert.equal((await fetch(`http://127.0.0.1:${plant.httpPort}/api/2/things`)).status, 200);
  });

  it('lets nobody else in under a name that is connected', async () => {
    await using node = new BadNode(url, 'twin-1');
    await node.bear([double('x', 1)]);
    await using other = new BadNode(url, 'twin-1');
    await counted('duplicate-device');
    assert.equal(other.mqtt.connected, false);
    assert.equal(node.mqtt.connected, true);
  });

  it('stays as it is under a flood of it, and so does the device beside it', async () => {
    const samples = (seen: PlantStatus) => seen.devices.find(({ id }) => id === 'mote-1')!.samples;
    const before = { ...(await status(() => true)), memory: edge.residentBytes() };
    const large = double('x', 1, {
      ...{ datatype: 'String', value: { kind: 'string', value: 'x'.repeat(3 * 2 ** 20) } },
    });
    const many = Array.from({ length: 10_000 }, (_, i) => double(`metric-${i}`, i));
    await using node = new BadNode(url, 'flood-1');
    for (let round = 0; round < 100; round++) {
      await node.bear([large]);
      await node.bear(many);
      await node.bear([double('x', round)]);
      for (let i = 0; i < 50; i++) await node.say('NDATA', randomBytes(2000));
      const birth = { timestampMs: Date.now(), seq: 1, metrics: [large] };
      await node.say(`DBIRTH/d${round}`, birth);
    }
    const seen = await status((now) => samples(now) > samples(before) + 100);
    assert.equal(stateOf(seen.sparkplug.nodes, 'mote-1'), 'born');
    const births = ({ sparkplug }: PlantStatus) =>
      sparkplug.nodes.find(({ node: name }) => name === 'mote-1')?.births;
    assert.equal(births(seen), births(before));
    const grown = edge.residentBytes() - before.memory;
    assert.ok(grown < GROWTH_BYTES_MAX, `${Math.round(grown / 2 ** 20)} MiB`);
  });
});
