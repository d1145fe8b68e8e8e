import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openOutbox } from '#device-agent/outbox/outbox.ts';
import { accountForDevice, readSeries } from '../trial/accounting.ts';
import { inTime, until } from './deadline.ts';
import { folders, samples, startDevice, startEdge } from './delivery.fixture.ts';

type Paths = ReturnType<typeof folders>;

const fileOf = ({ deviceFolder }: Paths) => join(deviceFolder, 'outbox.sqlite');

/** Runs the device until all it holds is delivered. */
async function deliver(paths: Paths, port: number, count: number): Promise<string> {
  await using device = await startDevice(paths.deviceFolder, port);
  device.outbox.append(samples(count));
  device.publisher.notify();
  await inTime(device.publisher.drained());
  return device.outbox.epoch;
}

/** What the device takes while there is no way to the edge node, in a process of its own. */
function produceOffline(paths: Paths, count: number): void {
  const limits = { unacknowledgedMax: 100_000, acknowledgedKept: 10 };
  using outbox = openOutbox({ file: fileOf(paths), nowMs: 0, ...limits });
  outbox.append(samples(count));
}

function bringBack(paths: Paths): void {
  for (const suffix of ['-wal', '-shm']) rmSync(fileOf(paths) + suffix, { force: true });
  cpSync(`${fileOf(paths)}.copy`, fileOf(paths));
}

function assertAllOnce(paths: Paths, produced: number): void {
  const { missing, duplicated, ...account } = accountForDevice('mote-1', paths);
  assert.deepEqual({ missing, duplicated }, { missing: 0, duplicated: 0 });
  assert.deepEqual([account.produced, account.committed], [produced, produced]);
  const device = { device: 'mote-1', property: 'environment/temperature' };
  const times = readSeries(paths.edgeFolder, device).map(({ timeMs }) => timeMs);
  assert.equal(new Set(times).size, produced);
}

describe('an outbox brought back from an older copy', { timeout: 120_000 }, () => {
  it('begins a new epoch where the edge node has more than it produced', async () => {
    const paths = folders();
    await using edge = await startEdge(paths.edgeFolder);
    const epoch = await deliver(paths, edge.port, 500);
    cpSync(fileOf(paths), `${fileOf(paths)}.copy`);
    await deliver(paths, edge.port, 300);
    bringBack(paths);
    assert.notEqual(await deliver(paths, edge.port, 100), epoch);
    assertAllOnce(paths, 900);
  });

  it('finds out too where it has since produced more than the edge node has', async () => {
    const paths = folders();
    await using edge = await startEdge(paths.edgeFolder);
    await deliver(paths, edge.port, 500);
    produceOffline(paths, 50);
    cpSync(fileOf(paths), `${fileOf(paths)}.copy`);
    await deliver(paths, edge.port, 300);
    bringBack(paths);
    produceOffline(paths, 400);
    produceOffline(paths, 400);
    await deliver(paths, edge.port, 1);
    assertAllOnce(paths, 500 + 50 + 300 + 400 + 400 + 1);
    await deliver(paths, edge.port, 10);
    assertAllOnce(paths, 1661);
  });

  it('loses nothing that the copy held and was never delivered', async () => {
    const paths = folders();
    await using edge = await startEdge(paths.edgeFolder);
    await deliver(paths, edge.port, 20);
    produceOffline(paths, 600);
    cpSync(fileOf(paths), `${fileOf(paths)}.copy`);
    bringBack(paths);
    await deliver(paths, edge.port, 5);
    assertAllOnce(paths, 625);
  });

  it('counts as dropped only what the outbox it was copied from had not delivered', async () => {
    const paths = folders();
    await using edge = await startEdge(paths.edgeFolder);
    produceOffline(paths, 1000);
    cpSync(fileOf(paths), `${fileOf(paths)}.copy`);
    await deliver(paths, edge.port, 1);
    bringBack(paths);
    const limits = { nowMs: 0, unacknowledgedMax: 1000, acknowledgedKept: 10 };
    {
      using outbox = openOutbox({ file: fileOf(paths), ...limits });
      outbox.append(samples(300));
      assert.equal(outbox.counts().dropped, 300);
    }
    await deliver(paths, edge.port, 1);
    assertAllOnce(paths, 1302);
    assert.equal(accountForDevice('mote-1', paths).droppedByRule, 0);
  });

  it('is as good the second time', async () => {
    const paths = folders();
    await using edge = await startEdge(paths.edgeFolder);
    await deliver(paths, edge.port, 100);
    cpSync(fileOf(paths), `${fileOf(paths)}.copy`);
    for (let turn = 1; turn <= 3; turn++) {
      await deliver(paths, edge.port, 100);
      bringBack(paths);
    }
    await deliver(paths, edge.port, 100);
    // Of what each turn's outbox knew only the edge node is left to tell.
    assertAllOnce(paths, 500);
  });

  it('is not taken for one where its edge node was brought back', async () => {
    const paths = folders();
    const file = join(paths.edgeFolder, 'twins.sqlite');
    {
      await using edge = await startEdge(paths.edgeFolder);
      await deliver(paths, edge.port, 100);
    }
    cpSync(file, `${file}.copy`);
    let epoch: string;
    {
      await using edge = await startEdge(paths.edgeFolder);
      epoch = await deliver(paths, edge.port, 100);
    }
    for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true });
    cpSync(`${file}.copy`, file);
    await using edge = await startEdge(paths.edgeFolder);
    assert.equal(await deliver(paths, edge.port, 100), epoch);
    await until(() => edge.store.committed('mote-1', epoch).sequence === 300);
    const { missing, duplicated } = accountForDevice('mote-1', paths);
    assert.deepEqual({ missing, duplicated }, { missing: 100, duplicated: 0 });
  });
});
