import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Forecaster } from '#device-agent/learning/forecaster.ts';
import { Learner } from '#device-agent/learning/learner.ts';
import { openOutbox } from '#device-agent/outbox/outbox.ts';
import { openCheckpointStore } from '#device-agent/training/checkpoint-store.ts';
import { startTrainer } from '#device-agent/training/trainer.ts';
import { deviceAccessRules } from '#edge-node/broker/access-rules.ts';
import { startBroker } from '#edge-node/broker/broker.ts';
import { edgeConfigSchema } from '#edge-node/edge-config.ts';
import { createLearningTask } from '#edge-node/federation/learning-task.ts';
import { startLearning } from '#edge-node/federation/start-learning.ts';
import { startLedger } from '#edge-node/ledger/start-ledger.ts';
import { LedgerFile } from '#edge-node/ledger/store/ledger-file.ts';
import { TwinPlacement } from '#edge-node/twins/twin-placement.ts';
import { TwinStore } from '#edge-node/twins/twin-store.ts';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { openDataFolder } from '#runtime/database/data-folder.ts';
import { connectMqtt } from '#runtime/mqtt/mqtt-js-client.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import type { Digest } from '#shared/identity/digest.ts';
import { anomalyScoreProperty } from '#shared/twin/sample.ts';
import { updateCodec } from '#shared/wire/learning.ts';
import { topicOf } from '#shared/wire/topics.ts';
import { until } from './deadline.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-learning-'));
after(() => rmSync(root, { recursive: true }));
const group = 'lab';
const devices = ['mote-1', 'mote-2'];

const config = edgeConfigSchema.parse({
  id: 'edge-1',
  group,
  data: root,
  learning: {
    features: [
      { property: 'a/x', scale: 0.1 },
      { property: 'a/y', scale: 1 },
    ],
    intervalMs: 20,
    deadlineMs: 5000,
  },
});
const { learning } = config;
assert.ok(learning);
const task = createLearningTask(learning);

async function startEdge(path: string, port = 0) {
  await using parts = new AsyncDisposableStack();
  const events = createEvents(log, clock);
  const folder = parts.use(openDataFolder(path));
  const twins = parts.use(new TwinStore(folder.file('twins.sqlite'), { group, nowMs: 0 }));
  const { ledger, member, payloads, network } = parts.use(
    await startLedger({ config, folder, clock, events, log }),
  );
  const access = deviceAccessRules(group);
  const limits = { payloadSizeBytesMax: 2 ** 20, clientsMax: 10 };
  const broker = parts.use(
    await startBroker({ host: '127.0.0.1', port, ...limits, access, events }),
  );
  const mqtt = broker.localClient();
  const placement = parts.use(new TwinPlacement({ ledger: member, twins, clock, events }));
  const { coordinated } = parts.use(
    await startLearning({
      ...{ config, mqtt, twins, placement, ledger: member, payloads, network, clock, events },
    }),
  );
  for (const device of devices) announceFeatures(twins, device);
  const kept = parts.move();
  return {
    ...{ events, payloads, ledger, port: broker.port, ...coordinated! },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The devices' twins as the twin host would have made them. */
function announceFeatures(twins: TwinStore, device: string) {
  const samples = ['a/x', 'a/y'].map((property, index) => ({
    property,
    sequence: index + 1,
    timeMs: 0,
    value: 0,
    quality: 'ok' as const,
  }));
  twins.commit([{ device, message: { epoch: '0'.repeat(16), available: 1, samples } }], 0);
  twins.change(device, { kind: 'presence', online: true, units: {}, nowMs: 0 });
}

async function startDevice(device: string, port: number, readings: number) {
  await using parts = new AsyncDisposableStack();
  const folder = mkdtempSync(join(root, 'device-'));
  const outbox = parts.use(
    openOutbox({
      file: join(folder, 'outbox.sqlite'),
      nowMs: 0,
      unacknowledgedMax: 100_000,
      acknowledgedKept: 1000,
    }),
  );
  const reading = (i: number) => ({
    timeMs: i,
    values: [
      { property: 'a/x', value: Math.sin(i / 3) / 5, quality: 'ok' as const },
      { property: 'a/y', value: 2 * Math.cos(i / 5), quality: 'ok' as const },
    ],
  });
  const store = (i: number) =>
    outbox.append(reading(i).values.map((each) => ({ ...each, timeMs: i })));
  for (let i = 0; i < readings; i++) store(i);
  const mqtt = parts.use(
    connectMqtt({
      url: `mqtt://127.0.0.1:${port}`,
      clientId: device,
      username: outbox.epoch,
      keepaliveSeconds: 5,
      reconnectPeriodMs: 20,
      log,
    }),
  );
  const checkpoints = parts.use(openCheckpointStore(join(folder, 'checkpoints.sqlite')));
  const trainer = parts.use(startTrainer());
  const forecaster = new Forecaster({ outbox, trainer, log, onScores: () => undefined });
  const learner = { outbox, trainer, checkpoints, forecaster };
  parts.use(await Learner.start({ mqtt, group, device, ...learner, clock, log }));
  const kept = parts.move();
  return {
    outbox,
    mqtt,
    forecaster,
    observe(i: number) {
      store(i);
      forecaster.observe([reading(i)]);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

describe('learning over MQTT', { timeout: 60_000 }, () => {
  it('rounds lower the loss, are on the ledger, and give the devices their scores', async () => {
    const folder = mkdtempSync(join(root, 'edge-'));
    {
      await using edge = await startEdge(folder);
      await using one = await startDevice('mote-1', edge.port, 300);
      await using _two = await startDevice('mote-2', edge.port, 200);
      await until(() => edge.versions.newestRounds().length >= 8);
      const rounds = edge.versions.newestRounds();
      assert.deepEqual(rounds[0]?.participants, devices);
      assert.ok(rounds.at(-1)!.loss < rounds[0]!.loss / 2);
      assert.ok(edge.payloads.get(rounds.at(-1)!.modelDigest as Digest));
      for (let i = 300; i < 320; i++) one.observe(i);
      await until(() => one.outbox.producedOf(anomalyScoreProperty) >= 20);
      const scores = one.outbox.newestOf(anomalyScoreProperty, 20);
      assert.deepEqual(
        scores.map(({ timeMs }) => timeMs),
        Array.from({ length: 20 }, (_, i) => 300 + i),
      );
      // The signal is smooth: a model that has learned is off by less than persistence is.
      const mean = scores.reduce((sum, { value }) => sum + value!, 0) / scores.length;
      assert.ok(mean < 0.3, `mean score ${mean}`);
    }
    {
      using file = new LedgerFile(join(folder, 'ledger.sqlite'));
      const verified = file.verify();
      assert.ok(verified.ok && verified.value.chain.head.height >= 9);
    }

    await using edge = await startEdge(folder);
    await until(() => edge.coordinator.state !== undefined);
    const newest = edge.versions.newest()!;
    assert.equal(edge.coordinator.state?.round, newest.round + 1);
    assert.equal(edge.coordinator.state?.base, newest.digest);
  });

  for (const lost of [
    ['payloads.sqlite'],
    ['payloads.sqlite', 'ledger.sqlite', 'node-key.signing', 'twins.sqlite'],
  ]) {
    it(`goes on with the same devices when it has lost ${lost.join(', ')}`, async () => {
      const folder = mkdtempSync(join(root, 'edge-'));
      await using devices = new AsyncDisposableStack();
      let port: number;
      {
        await using edge = await startEdge(folder);
        port = edge.port;
        for (const name of ['mote-1', 'mote-2']) devices.use(await startDevice(name, port, 200));
        await until(() => edge.versions.newestRounds().length >= 3);
      }
      for (const name of lost) rmSync(join(folder, name));
      await using edge = await startEdge(folder, port);
      await until(() => edge.coordinator.state !== undefined);
      const { round } = edge.coordinator.state!;
      await until(() => edge.coordinator.state!.round >= round + 2);
    });
  }

  it('holds a round without a device that is too poor in data, at its deadline', async () => {
    const folder = mkdtempSync(join(root, 'edge-'));
    learning!.deadlineMs = 600;
    learning!.quorum = 1;
    await using edge = await startEdge(folder);
    await using _rich = await startDevice('mote-1', edge.port, 200);
    await using _poor = await startDevice('mote-2', edge.port, 5);
    await until(() => edge.versions.newestRounds().length >= 1);
    assert.deepEqual(edge.versions.newestRounds()[0]?.participants, ['mote-1']);
  });

  it('refuses updates that do not fit, by a code', async () => {
    const folder = mkdtempSync(join(root, 'edge-'));
    await using edge = await startEdge(folder);
    await using device = await startDevice('mote-1', edge.port, 5);
    await until(() => device.mqtt.connected && edge.coordinator.state?.phase === 'training');
    const good = {
      v: 1 as const,
      task: task.message.task,
      round: 999,
      base: task.initialDigest,
      sampleCount: 5,
      loss: 1,
      parameters: task.initialBytes,
    };
    const topic = topicOf(group, 'mote-1', 'update');
    for (const bytes of [
      Uint8Array.of(1, 2, 3),
      updateCodec.encode(good),
      updateCodec.encode({ ...good, task: task.initialDigest }),
      updateCodec.encode({ ...good, round: 1, parameters: Uint8Array.of(0xa0) }),
      updateCodec.encode({ ...good, loss: Number.NaN }),
    ]) {
      await device.mqtt.publish(topic, bytes, { qos: 1 });
    }
    const codes = ['message-invalid', 'stale-round', 'stale-task', 'tensor-invalid'];
    await until(() => codes.every((code) => code in edge.events.counts()));
    assert.equal(edge.events.counts()['message-invalid'], 2);
  });
});
