import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openOutbox } from '#device-agent/outbox/outbox.ts';
import { startRecordingBroker } from '#edge-node/broker/recording-broker.fixture.ts';
import { connectMqtt } from '#runtime/mqtt/mqtt-js-client.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import type { Capture } from '#shared/sparkplug/conformance/capture.ts';
import { type Grade, grade } from '#shared/sparkplug/conformance/grade.ts';
import { commandTo, rebirthRequest } from '#shared/sparkplug/host-commands.ts';
import { defaultHostNodeOptions } from '#shared/sparkplug/host-node-state.ts';
import { HostNodes } from '#shared/sparkplug/host-nodes.ts';
import { decodePayload } from '#shared/sparkplug/payload.ts';
import type { Publication } from '#shared/sparkplug/publication.ts';
import type { JsonObject } from '#shared/twin/document/json.ts';
import { valueAt } from '#shared/twin/document/json-pointer.ts';
import { freePorts } from '../free-ports.ts';
import { until } from './deadline.ts';
import {
  type DoctorReport,
  isInstalled,
  type Plant,
  type PlantStatus,
  Program,
  plantStatus,
  readReport,
  sparkplugStatus,
  untilSo,
  writePlant,
} from './sparkplug.fixture.ts';

const SOUND = [
  'tck-id-payloads-nbirth-seq',
  'tck-id-topics-dbirth-mqtt',
  'tck-id-topics-ddata-seq-num',
  'tck-id-topics-ndeath-payload',
  'tck-id-topics-nbirth-bdseq-increment',
  'tck-id-principles-rbe-recommended',
  'tck-id-host-topic-phid-birth-payload',
  'tck-id-host-topic-phid-death-payload',
];

const SEEN_BY_A_BROKER = [
  'tck-id-principles-persistence-clean-session-311',
  'tck-id-topics-nbirth-bdseq-matching',
  'tck-id-message-flow-edge-node-birth-publish-will-message-qos',
  'tck-id-message-flow-edge-node-birth-publish-phid-wait',
  'tck-id-message-flow-edge-node-birth-publish-phid-offline',
  'tck-id-operational-behavior-edge-node-intentional-disconnect-ndeath',
  'tck-id-operational-behavior-host-application-connect-will',
  'tck-id-message-flow-phid-sparkplug-subscription',
  'tck-id-operational-behavior-host-application-termination',
];

const known = (plant: Plant, state: string, births: number) =>
  untilSo(
    () => sparkplugStatus(plant),
    ({ nodes: [node] }) => node?.state === state && node.births === births,
  );

/** Data goes by exception, and what a machine is busy with changes from moment to moment. */
const showSome = () => sleep(1500);

async function listenIn(url: string, file: string): Promise<Program> {
  const doctor = Program.diten(
    'doctor',
    'sparkplug',
    '--url',
    url,
    '--seconds',
    '300',
    '--json',
    file,
  );
  await until(() => doctor.output.includes('listening'));
  return doctor;
}

function assertSound(report: DoctorReport, output: string): void {
  assert.equal(report.summary.failMust, 0, output);
  assert.equal(report.summary.failShould, 0, output);
  const outcomes = new Map(report.assertions.map(({ id, outcome }) => [id, outcome]));
  for (const id of SOUND) assert.equal(outcomes.get(id), 'pass', id);
  assert.deepEqual(
    { ...report.heard, messages: 0 },
    { messages: 0, nodes: 1, devices: 3, hosts: 1 },
  );
}

describe('a real agent and edge node over Sparkplug', { timeout: 110_000 }, () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'diten-sparkplug-'));
  });
  after(() => rmSync(root, { recursive: true, maxRetries: 5 }));

  it("keeps to the specification on the edge node's own broker", async () => {
    const [mqttPort = 0, httpPort = 0] = await freePorts(2);
    const plant = { root: join(root, 'own'), mqttPort, httpPort };
    const files = writePlant(plant);
    const report = join(root, 'own.json');
    await using edge = Program.diten('edge', '--config', files.edge);
    await untilSo(
      () => sparkplugStatus(plant),
      ({ online }) => online,
    );
    await using doctor = await listenIn(`mqtt://127.0.0.1:${mqttPort}`, report);
    await using first = Program.diten('device', '--config', files.agent);
    await known(plant, 'born', 1);
    await showSome();
    await first.end('SIGKILL');
    await known(plant, 'dead', 1);
    await using second = Program.diten('device', '--config', files.agent);
    const { nodes } = await known(plant, 'born', 2);
    assert.deepEqual(nodes[0]?.bdSeq, 1);
    await showSome();
    assert.equal(await second.end('SIGTERM'), 0, second.output);
    await known(plant, 'dead', 2);
    assert.equal(await edge.end('SIGTERM'), 0, edge.output);
    await until(() => doctor.output.includes('ended early'));
    await until(() => doctor.output.includes('assertions:'));
    assertSound(readReport(report), doctor.output);
  });

  it('keeps to it on Mosquitto, while the host goes and comes back', async (test) => {
    if (!isInstalled('mosquitto')) return test.skip('mosquitto is not installed');
    const [port = 0] = await freePorts(1);
    const url = `mqtt://127.0.0.1:${port}`;
    const report = join(root, 'mosquitto.json');
    const settings = join(root, 'mosquitto.conf');
    writeFileSync(settings, `listener ${port} 127.0.0.1\nallow_anonymous true\n`);
    await using mosquitto = new Program('mosquitto', ['-c', settings]);
    await until(() => mosquitto.output.includes('running'));
    await using doctor = await listenIn(url, report);
    await goThroughAll(join(root, 'mosquitto'), url);
    assert.equal(await doctor.end('SIGINT'), 0, doctor.output);
    assertSound(readReport(report), doctor.output);
  });

  it('shows the newest state at once after an outage of 100,000 samples', async (test) => {
    const [mqttPort = 0, httpPort = 0] = await freePorts(2);
    const plant = { root: join(root, 'backlog'), mqttPort, httpPort };
    const files = writePlant(plant);
    const limits = { unacknowledgedMax: 1_000_000, acknowledgedKept: 0 };
    const file = join(plant.root, 'mote-1', 'outbox.sqlite');
    const old = { property: 'old/value', quality: 'ok' } as const;
    {
      using outbox = openOutbox({ file, nowMs: 0, ...limits });
      outbox.append(Array.from({ length: 100_000 }, (_, i) => ({ ...old, timeMs: i, value: i })));
    }
    await using edge = Program.diten('edge', '--config', files.edge);
    await untilSo(
      () => sparkplugStatus(plant),
      ({ online }) => online,
    );
    await using agent = Program.diten('device', '--config', files.agent);
    const samples = (seen: PlantStatus) => seen.devices[0]?.samples ?? 0;
    const look = async () => {
      const url = `http://127.0.0.1:${httpPort}/api/2/things/lab:mote-1`;
      const [seen, answer] = await Promise.all([plantStatus(plant), fetch(url)]);
      return seen && { samples: samples(seen), twin: (await answer.json()) as JsonObject };
    };
    const load = ({ twin }: { twin: JsonObject }) => valueAt(twin, ['features', 'cpu']);
    const startMs = performance.now();
    const current = await untilSo(look, (seen) => load(seen) !== undefined);
    const currentMs = performance.now() - startMs;
    assert.ok(current.samples < 100_000);
    assert.deepEqual(valueAt(current.twin, ['_metadata', 'sparkplug', 'state']), 'born');
    await untilSo(look, (seen) => seen.samples > 100_000);
    const whole = Math.round(performance.now() - startMs);
    test.diagnostic(`current after ${Math.round(currentMs)} ms, all of it after ${whole}`);
    assert.equal(await agent.end('SIGTERM'), 0, agent.output);
    assert.equal(await edge.end('SIGTERM'), 0, edge.output);
  });

  it('keeps to what only a broker sees: connections, wills, subscriptions', async () => {
    await using broker = await startRecordingBroker();
    await goThroughAll(join(root, 'recorded'), `mqtt://127.0.0.1:${broker.port}`);
    // The test's own client is no host application, and says nothing of itself.
    const capture = broker.capture.filter(
      (event) => !('client' in event && event.client === 'scada'),
    );
    const grades = grade(capture, { reorderTimeoutMs: 2000 });
    const faults = grades.filter(({ outcome }) => outcome === 'fail');
    assert.deepEqual(
      faults.map(({ assertion, fault }) => [assertion.id, fault?.message]),
      [],
    );
    const seen = new Set(grades.filter(({ outcome }) => outcome === 'pass').map(idOf));
    for (const id of SEEN_BY_A_BROKER) assert.ok(seen.has(id), `${id} was decided`);
    assert.ok(showsHistory(capture));
  });
});

/** Births, data, a rebirth, both programs killed and back, and both stopped. */
async function goThroughAll(root: string, sparkplugUrl: string): Promise<void> {
  const [mqttPort = 0, httpPort = 0] = await freePorts(2);
  const plant = { root, mqttPort, httpPort, sparkplugUrl };
  const files = writePlant(plant);
  await using edge = Program.diten('edge', '--config', files.edge);
  await untilSo(
    () => sparkplugStatus(plant),
    ({ online }) => online,
  );
  await using first = Program.diten('device', '--config', files.agent);
  await known(plant, 'born', 1);
  await showSome();
  await askForBirths(sparkplugUrl);
  await known(plant, 'born', 2);
  await first.end('SIGKILL');
  await known(plant, 'dead', 2);
  await using agent = Program.diten('device', '--config', files.agent);
  await known(plant, 'born', 3);
  await showSome();
  await edge.end('SIGKILL');
  await showSome();
  await using back = Program.diten('edge', '--config', files.edge);
  await known(plant, 'born', 1);
  await showSome();
  assert.equal(await agent.end('SIGTERM'), 0, agent.output);
  await known(plant, 'dead', 1);
  assert.equal(await back.end('SIGTERM'), 0, back.output);
}

function idOf({ assertion }: Grade): string {
  return assertion.id;
}

/** As a SCADA tool does: asks for births, and by what these say writes to the output. */
async function askForBirths(url: string): Promise<void> {
  const address = { group: 'lab', node: 'mote-1' };
  const nodes = new HostNodes({ nodesMax: 1, node: defaultHostNodeOptions });
  await using mqtt = connectMqtt({
    ...{ url, clientId: 'scada', keepaliveSeconds: 10, reconnectPeriodMs: 50, log },
  });
  const outputs: unknown[] = [];
  await mqtt.subscribe('spBv1.0/lab/#', (message) => {
    const at = { wallMs: Date.now(), monotonicMs: performance.now() };
    for (const effect of nodes.deliver(message, at)?.effects ?? []) {
      if (effect.kind !== 'values' || effect.device !== 'led') continue;
      outputs.push(...effect.values.map(({ value }) => value));
    }
  });
  await until(() => mqtt.connected);
  const say = ({ topic, payload, qos, retain }: Publication) =>
    mqtt.publish(topic, payload, { qos, retain });
  await say(rebirthRequest(address, Date.now()));
  await until(() => nodes.get(address)?.devices.get('led')?.isUp === true);
  const writes = [{ name: 'on', value: true }];
  const command = commandTo(nodes.get(address)!, { device: 'led', writes, wallMs: Date.now() });
  assert.ok(command.ok);
  await say(command.value);
  await until(() => outputs.length > 0);
  assert.deepEqual(outputs, [true]);
}

/** Whether what was measured while the host was away was shown as that. */
function showsHistory(capture: Capture): boolean {
  return capture.some((event) => {
    if (event.kind !== 'publish' || !event.topic.includes('/DDATA/')) return false;
    const decoded = decodePayload(event.payload);
    return decoded.ok && decoded.value.metrics.some(({ isHistorical }) => isHistorical);
  });
}
