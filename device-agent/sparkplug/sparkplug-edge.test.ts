import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import { featureMetrics, featureReadings } from './feature-metrics.ts';
import { openSessionCounter, type SessionCounter } from './session-counter.ts';
import { SparkplugEdge } from './sparkplug-edge.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-sparkplug-'));
after(() => rmSync(root, { recursive: true }));

describe('the number of the Sparkplug session', () => {
  it('is there after a restart', () => {
    const file = join(root, 'sparkplug.sqlite');
    {
      using counter = openSessionCounter(file);
      assert.equal(counter.bdSeq, undefined);
      counter.save(254);
      counter.save(255);
    }
    using counter = openSessionCounter(file);
    assert.equal(counter.bdSeq, 255);
    counter.save(0);
    assert.equal(counter.bdSeq, 0);
    assert.throws(() => counter.save(256), /CHECK/);
  });
});

describe('Sparkplug session of the agent', { timeout: 40_000 }, () => {
  it('connects with no number that could not be kept', async () => {
    using kept = openSessionCounter(join(root, 'full.sqlite'));
    let failures = 2;
    const sockets: Socket[] = [];
    const counter: SessionCounter = {
      bdSeq: 6,
      save(bdSeq) {
        if (failures-- > 0) throw new Error('the disk is full');
        kept.save(bdSeq);
      },
      [Symbol.dispose]: () => undefined,
    };
    // It never answers, so that there is one connection only.
    const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const edge = new SparkplugEdge({
      ...{ url: `mqtt://127.0.0.1:${port}`, keepaliveSeconds: 10, reconnectPeriodMs: 1 },
      ...{ group: 'lab', device: 'mote-1', epoch: '0'.repeat(16), properties: [] },
      ...{ counter, clock, log },
    });
    while (sockets.length === 0) await sleep(1);
    assert.equal(failures, -1);
    assert.equal(kept.bdSeq, 7);
    await edge[Symbol.asyncDispose]();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

describe('features as devices of Sparkplug', () => {
  it('have their properties as metrics, with unit and range', () => {
    const devices = featureMetrics([
      { property: 'air/temperature', unit: 'Cel', range: [-40, 85] },
      { property: 'cpu/load', unit: '1' },
      { property: 'air/humidity', unit: '%' },
    ]);
    const names = [...devices].map(([device, metrics]) => [device, metrics.map((m) => m.name)]);
    assert.deepEqual(names, [
      ['air', ['temperature', 'humidity']],
      ['cpu', ['load']],
    ]);
    assert.deepEqual(devices.get('air')?.[0], {
      name: 'temperature',
      datatype: 'Double',
      properties: [
        { key: 'engUnit', datatype: 'String', value: { kind: 'string', value: 'Cel' } },
        { key: 'engLow', datatype: 'Double', value: { kind: 'double', value: -40 } },
        { key: 'engHigh', datatype: 'Double', value: { kind: 'double', value: 85 } },
      ],
    });
  });

  it('are told what was measured, with its quality', () => {
    const told = featureReadings({
      timeMs: 1000.6,
      values: [
        { property: 'air/temperature', value: 21, quality: 'ok' },
        { property: 'air/humidity', value: null, quality: 'gap' },
        { property: 'cpu/load', value: 2, quality: 'stale' },
      ],
    });
    assert.deepEqual(
      [...told],
      [
        [
          'air',
          [
            { name: 'temperature', value: 21, timestampMs: 1001, quality: 'good' },
            { name: 'humidity', value: null, timestampMs: 1001, quality: 'bad' },
          ],
        ],
        ['cpu', [{ name: 'load', value: 2, timestampMs: 1001, quality: 'stale' }]],
      ],
    );
  });
});
