import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { collect } from '#runtime/mqtt/mqtt-client.contract.ts';
import type { MqttClient } from '#runtime/mqtt/mqtt-client.ts';
import type { Metric } from '#shared/sparkplug/metric.ts';
import { decodePayload, encodePayload } from '#shared/sparkplug/payload.ts';
import { see, verbs } from '#shared/sparkplug/session.fixture.ts';
import { thingDelta } from '#shared/twin/document/delta.ts';
import type { JsonValue } from '#shared/twin/document/json.ts';
import { explainThing } from '#shared/twin/document/why.ts';
import { anomalyScoreProperty } from '#shared/twin/sample.ts';
import { freePorts } from '../free-ports.ts';
import { until } from './deadline.ts';
import {
  connectOperator,
  openBox,
  startAgentHalf,
  startEdgeHalf,
  TEMPERATURE,
} from './sparkplug-live.fixture.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-live-'));
after(() => rmSync(root, { recursive: true, maxRetries: 5 }));
const DCMD = 'spBv1.0/lab/DCMD/mote-1/led';

async function command(mqtt: MqttClient, topic: string, ...metrics: Metric[]): Promise<void> {
  await until(() => mqtt.connected);
  await mqtt.publish(topic, encodePayload({ timestampMs: Date.now(), metrics }));
}

/** An edge node on that port, and what a SCADA tool there hears of the sensor. */
async function listen(port: number) {
  await using parts = new AsyncDisposableStack();
  const { host, url } = parts.use(await startEdgeHalf(root, port));
  const scada = parts.use(connectOperator(url));
  const messages = await collect(scada, 'spBv1.0/lab/DDATA/mote-1/air');
  const kept = parts.move();
  const all = () =>
    messages.flatMap(({ payload }) => {
      const decoded = decodePayload(payload);
      const metrics = decoded.ok ? decoded.value.metrics : [];
      return metrics.flatMap(({ isHistorical = false, value }) =>
        value?.kind === 'double' ? [[isHistorical, value.value] as const] : [],
      );
    });
  const values = (isHistorical: boolean) =>
    all().flatMap(([isOld, value]) => (isOld === isHistorical ? [value] : []));
  return { host, all, values, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

const on = (value: boolean): Metric => ({ name: 'on', value: { kind: 'boolean', value } });

describe('an agent over Sparkplug and its own channel', { timeout: 60_000 }, () => {
  it('is current in its twin before a backlog is through, and no sample comes twice', async () => {
    const box = openBox(root);
    using outbox = box.outbox;
    const backlog = Array.from({ length: 20_000 }, (_, i) => i);
    const old = { property: TEMPERATURE, quality: 'ok' } as const;
    outbox.append(backlog.map((i) => ({ ...old, timeMs: i, value: i })));
    await using edge = await startEdgeHalf(root);
    await using agent = await startAgentHalf(edge.url, box);
    agent.measure(-1);
    await until(() => edge.shown(TEMPERATURE)?.value === -1);
    assert.equal(edge.store.samplesOf('mote-1'), 0);
    const seen = new Set<JsonValue | undefined>();
    edge.store.onCommit(() => seen.add(edge.shown(TEMPERATURE)?.value));
    using _ = await agent.publish(10_000);
    await until(() => edge.store.samplesOf('mote-1') > 1000);
    agent.measure(-2);
    await until(() => outbox.counts().available > outbox.counts().produced);
    assert.equal(edge.store.samplesOf('mote-1'), 20_002);
    assert.deepEqual([...seen].sort(), [-2]);
  });

  it('is current in its twin while its history follows at a limited rate', async () => {
    const box = openBox(root);
    using outbox = box.outbox;
    const old = { property: TEMPERATURE, quality: 'ok' } as const;
    outbox.append(Array.from({ length: 20_000 }, (_, i) => ({ ...old, timeMs: i, value: i })));
    await using edge = await startEdgeHalf(root);
    {
      await using agent = await startAgentHalf(edge.url, box);
      using _ = await agent.publish(20); // all of it would take a quarter of an hour
      await until(() => edge.store.samplesOf('mote-1') > 0);
      agent.measure(-1);
      await until(() => edge.shown(TEMPERATURE)?.value === -1);
      assert.ok(edge.store.samplesOf('mote-1') < 1500);
    }
    await using agent = await startAgentHalf(edge.url, box);
    using _ = await agent.publish(20_000);
    await until(() => edge.store.samplesOf('mote-1') === 20_001);
    assert.equal(edge.shown(TEMPERATURE)?.value, -1);
  });

  it('shows what was measured while it was away as history, live values between', async () => {
    const box = openBox(root);
    using _outbox = box.outbox;
    const [port = 0] = await freePorts(1);
    await using agent = await startAgentHalf(`mqtt://127.0.0.1:${port}`, box);
    for (let i = 0; i < 250; i++) agent.measure(i);
    {
      await using heard = await listen(port);
      await until(() => heard.values(true).length > 0);
      agent.measure(1000);
      await until(() => heard.values(true).includes(248));
      const history = heard.values(true);
      assert.deepEqual(history, Array.from({ length: 249 }, (_, i) => i).slice(-history.length));
      assert.deepEqual(heard.values(false), [1000]);
      assert.ok(heard.all().findIndex(([isOld]) => !isOld) < heard.all().length - 1);
      await until(() => heard.host.presenceOf('mote-1')?.state === 'born');
    }
    await until(() => !agent.edge.isOnline);
    for (let i = 2000; i < 2010; i++) agent.measure(i);
    await using heard = await listen(port);
    await until(() => heard.values(true).includes(2008));
    assert.ok(heard.values(true).every((value) => value >= 2000 && value < 2009));
  });

  it('sets outputs by DCMD, says so by DDATA, and the twin desires it', async () => {
    using outbox = openBox(root).outbox;
    await using edge = await startEdgeHalf(root);
    await using _agent = await startAgentHalf(edge.url, { file: join(root, 'dcmd'), outbox });
    await until(() => edge.host.presenceOf('mote-1')?.state === 'born');
    await using scada = connectOperator(edge.url);
    const said = await collect(scada, 'spBv1.0/lab/DDATA/mote-1/led');
    await command(scada, DCMD, on(true));
    await until(() => thingDelta(edge.thing())[0]?.state === 'in-step');
    const desired = edge.thing().features.led?.desired.on;
    assert.deepEqual([desired?.value, desired?.writtenBy], [true, 'sparkplug']);
    const [metric] = see({ ...said[0]!, qos: 0, retain: false }).payload.metrics;
    assert.deepEqual(metric?.value, { kind: 'boolean', value: true });
    const path = '/features/led/desiredProperties/on';
    const edit = { op: 'put', path, value: false } as const;
    edge.store.change('mote-1', { kind: 'edited', nowMs: Date.now(), by: 'anna', edit });
    await until(() => said.length === 2);
    assert.equal(explainThing(edge.thing())[0]?.desired, false);
  });

  it('refuses what cannot be written with an event, and goes on', async () => {
    using outbox = openBox(root).outbox;
    await using edge = await startEdgeHalf(root);
    await using _agent = await startAgentHalf(edge.url, { file: join(root, 'bad'), outbox });
    await until(() => edge.host.presenceOf('mote-1')?.state === 'born');
    await using scada = connectOperator(edge.url);
    const int = { kind: 'int', value: 7 } as const;
    const air = 'spBv1.0/lab/DCMD/mote-1/air';
    await command(scada, DCMD, { name: 'on', value: int });
    await command(scada, DCMD, { name: 'off', value: int });
    await command(scada, DCMD, { alias: 99n, value: int });
    await command(scada, DCMD, { name: 'on' }, { name: 'on', value: null });
    await command(scada, DCMD, { name: 'on', value: { kind: 'string', value: 'x'.repeat(2e6) } });
    await command(scada, air, { name: 'temperature', value: { kind: 'double', value: 1 } });
    await command(scada, 'spBv1.0/lab/DCMD/mote-1/none', on(true));
    await command(scada, 'spBv1.0/lab/DCMD/mote-2/led', on(true));
    await scada.publish(DCMD, Uint8Array.from([255, 255, 1]));
    await until(() => (edge.events.counts()['sparkplug-write-refused'] ?? 0) >= 10);
    assert.deepEqual(thingDelta(edge.thing()), []);
    await command(scada, DCMD, on(true));
    await until(() => thingDelta(edge.thing())[0]?.state === 'in-step');
  });

  it('has its model as a device that is born with it, and dies without', async () => {
    using outbox = openBox(root).outbox;
    await using edge = await startEdgeHalf(root);
    await using agent = await startAgentHalf(edge.url, { file: join(root, 'model'), outbox });
    await until(() => edge.host.presenceOf('mote-1')?.state === 'born');
    await using scada = connectOperator(edge.url);
    await until(() => scada.connected);
    const heard = await collect(scada, 'spBv1.0/lab/+/mote-1/forecast');
    agent.edge.showModel('ab'.repeat(32));
    const score = { property: anomalyScoreProperty, timeMs: 5, value: 0.5, quality: 'ok' } as const;
    outbox.append([score]);
    agent.edge.observe([score], [score], outbox.counts().produced);
    agent.edge.showModel('cd'.repeat(32));
    agent.edge.showModel(undefined);
    await until(() => heard.length === 4);
    const messages = heard.map((each) => see({ ...each, qos: 0, retain: false }));
    const all = ['DBIRTH/forecast', 'DDATA/forecast', 'DDATA/forecast', 'DDEATH/forecast'];
    assert.deepEqual(verbs(messages), all);
    const born = messages[0]!.payload.metrics.map(({ name, value }) => [
      name,
      value?.value ?? null,
    ]);
    assert.deepEqual(Object.fromEntries(born), { 'anomaly-score': null, model: 'ab'.repeat(32) });
    await until(() => edge.shown(anomalyScoreProperty)?.value === 0.5);
    await until(() => edge.host.presenceOf('mote-1')?.dead.length === 1);
    assert.equal(edge.host.presenceOf('mote-1')?.dead[0]?.feature, 'forecast');
  });
});
