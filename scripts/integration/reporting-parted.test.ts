import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { presenceBytes } from '#device-agent/presence.ts';
import { startReporting } from '#device-agent/reporting/start-reporting.ts';
import type { Sensor } from '#device-agent/sensors/sensor.ts';
import { propertyAnswer } from '#edge-node/twins/prediction/property-answer.ts';
import type { TwinStore } from '#edge-node/twins/twin-store.ts';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import { topicOf } from '#shared/wire/topics.ts';
import { inTime, until } from './deadline.ts';
import { folders, group, startDevice, startEdge } from './delivery.fixture.ts';

const property = 'environment/temperature';
const descriptor = { property, unit: 'Cel' };
const rules = [{ property, tolerance: 0.5, heartbeatSeconds: 600, predictor: 'hold' as const }];
const sensor: Sensor = {
  ...{ kind: 'live', name: 'bench', properties: [descriptor], periodMs: 1000 },
  read: async () => [],
};

/** A device that sends its one property in part. */
async function startReportingDevice(folder: string, port: number) {
  await using parts = new AsyncDisposableStack();
  const { outbox, mqtt, publisher } = parts.use(await startDevice(folder, port));
  const link = { outbox, mqtt, group, device: 'mote-1', clock, log };
  const reporting = parts.use(startReporting(rules, { ...link, sensors: [sensor] }));
  let parted = 0;
  publisher.onParted(() => {
    parted++;
    reporting.beginAnew();
  });
  const kept = parts.move();
  return {
    parted: () => parted,
    async announce() {
      await until(() => mqtt.connected);
      const online = presenceBytes('online', { epoch: outbox.epoch, properties: [descriptor] });
      await mqtt.publish(topicOf(group, 'mote-1', 'presence'), online, { qos: 1 });
    },
    /** Measures, and waits until what is sent of it has arrived. */
    async measure(value: number) {
      reporting.store([{ timeMs: clock.nowMs(), values: [{ property, value, quality: 'ok' }] }]);
      publisher.notify();
      await inTime(publisher.drained());
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

function assertTold({ store }: { store: TwinStore }, measured: number): void {
  const answer = propertyAnswer(store, { device: 'mote-1', property, nowMs: clock.nowMs() })!;
  assert.equal(answer.tolerance, 0.5);
  assert.ok(Math.abs(answer.value! - measured) <= 0.5, `${answer.value} for ${measured}`);
}

function copy(folder: string, file: string): () => void {
  const path = join(folder, file);
  cpSync(path, `${path}.copy`);
  return () => {
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
    cpSync(`${path}.copy`, path);
  };
}

describe('reporting in part where the two sides went apart', { timeout: 120_000 }, () => {
  it('begins anew when the outbox was brought back from an older copy', async () => {
    const paths = folders();
    await using edge = await startEdge(paths.edgeFolder);
    {
      await using device = await startReportingDevice(paths.deviceFolder, edge.port);
      await device.measure(20);
    }
    const bringBack = copy(paths.deviceFolder, 'outbox.sqlite');
    {
      await using device = await startReportingDevice(paths.deviceFolder, edge.port);
      await device.measure(25);
    }
    bringBack();
    for (const value of [20.1, 20.2]) {
      await using device = await startReportingDevice(paths.deviceFolder, edge.port);
      await device.measure(value);
      await device.announce();
      if (value === 20.1) await until(() => device.parted() === 1);
      else await device.measure(20.3);
    }
    assertTold(edge, 20.3);
  });

  it('begins anew when the edge node was', async () => {
    const paths = folders();
    let bringBack: (() => void) | undefined;
    for (const value of [20, 25]) {
      {
        await using edge = await startEdge(paths.edgeFolder);
        await using device = await startReportingDevice(paths.deviceFolder, edge.port);
        await device.measure(value);
        assertTold(edge, value);
      }
      bringBack ??= copy(paths.edgeFolder, 'twins.sqlite');
    }
    bringBack?.();
    await using edge = await startEdge(paths.edgeFolder);
    await using device = await startReportingDevice(paths.deviceFolder, edge.port);
    await device.announce();
    await until(() => device.parted() === 1);
    await device.measure(25.1);
    assertTold(edge, 25.1);
  });
});
