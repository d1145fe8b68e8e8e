import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { plainTelemetryCodec as codec } from '#shared/wire/telemetry.ts';
import { topicOf } from '#shared/wire/topics.ts';
import { accountForDevice } from '../trial/accounting.ts';
import { inTime, until } from './deadline.ts';
import { folders, group, samples, startDevice, startEdge } from './delivery.fixture.ts';

function assertAllOnce(paths: ReturnType<typeof folders>, produced: number) {
  const account = accountForDevice('mote-1', paths);
  assert.deepEqual(account, {
    id: 'mote-1',
    produced,
    committed: produced,
    droppedByRule: 0,
    drops: {},
    waiting: 0,
    missing: 0,
    duplicated: 0,
  });
}

describe('delivery', { timeout: 120_000 }, () => {
  it('brings every sample into the twin store once, and lets the outbox forget it', async () => {
    const paths = folders();
    {
      await using edge = await startEdge(paths.edgeFolder);
      await using device = await startDevice(paths.deviceFolder, edge.port);
      for (let i = 0; i < 20; i++) {
        device.outbox.append(samples(100));
        device.publisher.notify();
      }
      await inTime(device.publisher.drained());
      device.outbox.append(samples(1));
      device.publisher.notify();
      await inTime(device.publisher.drained());
      assert.equal(device.outbox.counts().acknowledged, 2001);
      assert.ok(device.outbox.following(0, 5000).length <= 11);
      assert.deepEqual(edge.events.counts(), {});
    }
    assertAllOnce(paths, 2001);
  });

  it('loses and doubles nothing over restarts of both ends', async () => {
    const paths = folders();
    let port = 0;
    let produced = 0;
    for (let run = 0; run < 6; run++) {
      await using edge = await startEdge(paths.edgeFolder, port);
      port = edge.port;
      await using device = await startDevice(paths.deviceFolder, port);
      for (let i = 0; i < 10; i++) {
        device.outbox.append(samples(333));
        produced += 333;
        device.publisher.notify();
        if (i % 5 === run % 5) await sleep(5);
      }
      if (run === 5) await inTime(device.publisher.drained());
    }
    assertAllOnce(paths, produced);
  });

  it('delivers what was produced while there was no edge node', async () => {
    const paths = folders();
    let port = 0;
    {
      await using edge = await startEdge(paths.edgeFolder);
      port = edge.port;
    }
    await using device = await startDevice(paths.deviceFolder, port);
    device.outbox.append(samples(7000));
    device.publisher.notify();
    await sleep(50);
    await using _edge = await startEdge(paths.edgeFolder, port);
    await inTime(device.publisher.drained());
    assertAllOnce(paths, 7000);
  });

  it('tells the edge node what a full outbox dropped, by rule, and brings the rest', async () => {
    const paths = folders();
    await using edge = await startEdge(paths.edgeFolder);
    const rules = [{ property: 'environment/*', drop: 'thin' as const }];
    const limits = { unacknowledgedMax: 1000, rules };
    await using device = await startDevice(paths.deviceFolder, edge.port, limits);
    for (let i = 0; i < 3; i++) {
      for (let part = 0; part < 5; part++) device.outbox.append(samples(500));
      device.outbox.abandon(samples(3));
      device.outbox.append(samples(7));
      device.publisher.notify();
      await inTime(device.publisher.drained());
    }
    const { produced, dropped } = device.outbox.counts();
    assert.deepEqual([produced, dropped > 4000], [3 * 2510, true]);
    const drops = { thin: dropped - 9, 'disk-full': 9 };
    assert.deepEqual(edge.store.samples.dropped().get('mote-1'), drops);
    assert.deepEqual(accountForDevice('mote-1', paths), {
      ...{ id: 'mote-1', produced, committed: produced - dropped, droppedByRule: dropped, drops },
      ...{ waiting: 0, missing: 0, duplicated: 0 },
    });
  });

  it('takes nothing across a gap, and goes on', async () => {
    const paths = folders();
    await using edge = await startEdge(paths.edgeFolder);
    await using device = await startDevice(paths.deviceFolder, edge.port);
    await until(() => device.mqtt.connected);
    // A gap, as a lost message leaves it: the edge node must not take what follows.
    const stray = { epoch: device.outbox.epoch, available: 1 };
    const [sample] = samples(1);
    const message = { ...stray, samples: [{ ...sample!, sequence: 50 }] };
    await device.mqtt.publish(topicOf(group, 'mote-1', 'data'), codec.encode(message), { qos: 1 });
    device.outbox.append(samples(60));
    device.publisher.notify();
    await inTime(device.publisher.drained());
    assertAllOnce(paths, 60);
  });

  it('acknowledges nothing that could not be committed; the device sends it again', async () => {
    const paths = folders();
    await using edge = await startEdge(paths.edgeFolder);
    await using device = await startDevice(paths.deviceFolder, edge.port);
    await until(() => device.mqtt.connected);
    const commit = edge.store.commit.bind(edge.store);
    edge.store.commit = () => {
      throw new Error('the disk is full');
    };
    device.outbox.append(samples(700));
    device.publisher.notify();
    await until(() => 'commit-failed' in edge.events.counts());
    await sleep(50);
    assert.equal(device.outbox.counts().acknowledged, 0);
    edge.store.commit = commit;
    await inTime(device.publisher.drained());
    assertAllOnce(paths, 700);
  });

  it('refuses garbage by a code, and serves on', async () => {
    const paths = folders();
    await using edge = await startEdge(paths.edgeFolder);
    await using device = await startDevice(paths.deviceFolder, edge.port);
    await until(() => device.mqtt.connected);
    const garbage = Uint8Array.of(0xff, 1, 2, 3);
    for (const channel of ['data', 'presence'] as const) {
      await device.mqtt.publish(topicOf(group, 'mote-1', channel), garbage, { qos: 1 });
    }
    device.outbox.append(samples(3));
    device.publisher.notify();
    await inTime(device.publisher.drained());
    assert.deepEqual(edge.events.counts(), { 'message-invalid': 2 });
    assertAllOnce(paths, 3);
  });
});
