import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { collect, until } from '#runtime/mqtt/mqtt-client.contract.ts';
import type { MqttClient, MqttMessage } from '#runtime/mqtt/mqtt-client.ts';
import { connectMqtt } from '#runtime/mqtt/mqtt-js-client.ts';
import { createEvents, type Events } from '#runtime/observe/events.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import { decodeHostState, statePublication } from '#shared/sparkplug/host-state.ts';
import type { Publication } from '#shared/sparkplug/publication.ts';
import { EdgeDriver, keeps, publications } from '#shared/sparkplug/session.fixture.ts';
import { type Broker, startBroker } from '../broker/broker.ts';
import { groupAccessRules } from '../broker/sparkplug-rules.ts';
import { TwinStore } from '../twins/twin-store.ts';
import { SparkplugHost } from './sparkplug-host.ts';

const ONE_HOST = 'tck-id-operational-behavior-host-application-host-id';
const ONE_NODE = `tck-id-intro-edge-node-id-uniqueness tck-id-payloads-nbirth-edge-node-descriptor
  tck-id-topic-structure-namespace-unique-edge-node-descriptor`;
const EPOCH = '0'.repeat(16);
const root = mkdtempSync(join(tmpdir(), 'diten-sparkplug-host-'));
after(() => rmSync(root, { recursive: true }));

describe('Sparkplug host application', { timeout: 40_000 }, () => {
  let broker: Broker;
  let events: Events;
  let speaker: MqttClient;
  let host: SparkplugHost;
  let twins: TwinStore;

  beforeEach(async () => {
    events = createEvents(log, clock);
    const sparkplug = { host: { id: 'edge-1', token: 'secret' }, observers: true, operators: true };
    const access = groupAccessRules({ group: 'lab', isBarred: () => false, sparkplug });
    const limits = { payloadSizeBytesMax: 2 ** 20, clientsMax: 5 };
    broker = await startBroker({ host: '127.0.0.1', port: 0, ...limits, access, events });
    speaker = broker.localClient();
    const file = join(mkdtempSync(join(root, 'node-')), 'twins.sqlite');
    twins = new TwinStore(file, { group: 'lab', nowMs: clock.nowMs() });
    host = startHost();
    await until(() => host.status().online);
  });
  afterEach(async () => {
    await host[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
    twins[Symbol.dispose]();
  });

  const startHost = () => {
    const names = { host: 'edge-1', token: 'secret', group: 'lab', nodesMax: 2 };
    const url = `mqtt://127.0.0.1:${broker.port}`;
    return new SparkplugHost({ url, ...names, twins, clock, events, log });
  };
  const say = async (messages: readonly Publication[]) => {
    for (const { topic, payload, ...options } of messages) {
      await speaker.publish(topic, payload, options);
    }
  };
  /** An edge node with one metric, and its births. */
  const bear = async (node: string) => {
    const edge = new EdgeDriver({ group: 'lab', node });
    edge.do({ kind: 'define', metrics: [{ name: 'x', datatype: 'Double' }], initial: [] });
    edge.connect();
    await say(publications(edge.do({ kind: 'subscribed' })));
    return edge;
  };
  const report = (edge: EdgeDriver, value: number) =>
    publications(edge.do({ kind: 'report', readings: [edge.reading('x', value)] }));
  const stateOf = (node: string) => host.status().nodes.find((each) => each.node === node)?.state;
  const isOnline = ({ payload }: MqttMessage) => {
    const state = decodeHostState(payload);
    return state.ok && state.value.online;
  };

  it('asks for births where a message is missing', async () => {
    const commands = await collect(speaker, 'spBv1.0/lab/NCMD/+');
    const edge = await bear('mote-1');
    await until(() => stateOf('mote-1') === 'born');
    report(edge, 1);
    await say(report(edge, 2));
    await until(() => commands.length > 0);
    assert.equal(commands[0]?.topic, 'spBv1.0/lab/NCMD/mote-1');
    assert.equal(stateOf('mote-1'), 'stale');
    assert.equal(host.status().nodes[0]?.rebirthRequests, 1);
    assert.equal(events.counts()['sequence-gap'], 1);
    const { topic, payload } = commands[0] as MqttMessage;
    edge.clock.advance(5000);
    await say(publications(edge.deliver(topic, payload)));
    await until(() => stateOf('mote-1') === 'born');
    assert.equal(host.status().nodes[0]?.births, 2);
  });

  it('knows so many edge nodes, and forgets dead ones for new ones', async () => {
    const first = await bear('mote-1');
    await bear('mote-2');
    await bear('mote-3');
    await until(() => events.counts()['too-many-nodes'] !== undefined);
    assert.equal(stateOf('mote-3'), undefined);
    await say(publications(first.do({ kind: 'leave' })));
    await until(() => stateOf('mote-1') === 'dead');
    await bear('mote-3');
    await until(() => stateOf('mote-3') === 'born');
    assert.deepEqual(
      host.status().nodes.map(({ node }) => node),
      ['mote-2', 'mote-3'],
    );
  });

  it('answers a STATE that denies it, and says farewell', async () => {
    const states = await collect(speaker, 'spBv1.0/STATE/edge-1');
    await say([statePublication('edge-1', { online: false, timestampMs: Date.now() })]);
    await until(() => states.length >= 3);
    assert.ok(isOnline(states.at(-1)!));
    await host[Symbol.asyncDispose]();
    await until(() => !isOnline(states.at(-1)!));
    assert.equal(host.status().online, false);
  });

  it(keeps(ONE_HOST, 'leaves its name to nobody who does not know its token'), async () => {
    const reasons: (string | undefined)[] = [];
    const url = `mqtt://127.0.0.1:${broker.port}`;
    await using thief = connectMqtt({
      ...{ url, clientId: 'edge-1.host', username: 'guess', log },
      ...{ keepaliveSeconds: 10, reconnectPeriodMs: 1000 },
    });
    thief.onConnectionChange((_, reason) => reasons.push(reason?.code));
    await until(() => reasons.length > 0);
    assert.deepEqual(reasons, ['identifier-rejected']);
    assert.ok(host.status().online);
  });

  it(keeps(ONE_NODE, 'hears one client as an edge node, and refuses a second'), async () => {
    const url = `mqtt://127.0.0.1:${broker.port}`;
    const connection = { clientId: 'mote-1.sparkplug', keepaliveSeconds: 10, log };
    const connect = (epoch: string) =>
      connectMqtt({ ...connection, url, username: epoch, reconnectPeriodMs: 60_000 });
    await using first = connect(EPOCH);
    await until(() => first.connected);
    await using second = connect('1'.repeat(16));
    await until(() => events.counts()['duplicate-device'] === 1);
    assert.deepEqual([first.connected, second.connected], [true, false]);
  });

  it('loses sight of a device that is barred while it is connected', async () => {
    const url = `mqtt://127.0.0.1:${broker.port}`;
    const edge = new EdgeDriver({ group: 'lab', node: 'mote-1' });
    const [asked] = edge.do({ kind: 'connect' });
    assert.ok(asked?.kind === 'connect');
    await using mqtt = connectMqtt({
      ...{ url, clientId: 'mote-1.sparkplug', username: EPOCH, will: asked.will, log },
      ...{ keepaliveSeconds: 10, reconnectPeriodMs: 60_000 },
    });
    await until(() => mqtt.connected);
    edge.do({ kind: 'connected' });
    for (const { topic, payload } of publications(edge.do({ kind: 'subscribed' }))) {
      await mqtt.publish(topic, payload);
    }
    await until(() => stateOf('mote-1') === 'born');
    broker.disconnect('mote-1');
    await until(() => stateOf('mote-1') === 'dead');
  });
});
