import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { openDatabase } from '#runtime/database/database.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import { openOutbox } from '../outbox/outbox.ts';
import { openSessionStore, type SessionStore } from './session-store.ts';
import { SparkplugEdge } from './sparkplug-edge.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-sparkplug-'));
after(() => rmSync(root, { recursive: true }));

describe('what the Sparkplug session keeps', () => {
  it('is there after a restart', () => {
    const file = join(root, 'sparkplug.sqlite');
    {
      using store = openSessionStore(file);
      assert.equal(store.bdSeq, undefined);
      assert.equal(store.unshownAfter, 0);
      store.saveBdSeq(254);
      store.saveBdSeq(255);
      store.saveUnshownAfter(undefined);
    }
    using store = openSessionStore(file);
    assert.equal(store.bdSeq, 255);
    assert.equal(store.unshownAfter, undefined);
    store.saveBdSeq(0);
    assert.equal(store.bdSeq, 0);
    store.saveUnshownAfter(12);
    assert.equal(store.unshownAfter, 12);
    assert.throws(() => store.saveBdSeq(256), /CHECK/);
  });
});

describe('a Sparkplug session that an older version kept', () => {
  it('goes on with its number', () => {
    const file = join(root, 'older.sqlite');
    const first =
      'CREATE TABLE session (only INTEGER PRIMARY KEY, bd_seq INTEGER NOT NULL) STRICT; ' +
      'INSERT INTO session VALUES (1, 41)';
    openDatabase(file, { name: 'older', migrations: [first] }).close();
    using store = openSessionStore(file);
    assert.deepEqual([store.bdSeq, store.unshownAfter], [41, 0]);
  });
});

describe('Sparkplug session of the agent', { timeout: 40_000 }, () => {
  it('connects with no number that could not be kept', async () => {
    const kept = openSessionStore(join(root, 'full.sqlite'));
    kept.saveBdSeq(6);
    let failures = 2;
    const sockets: Socket[] = [];
    const store: SessionStore = {
      bdSeq: 6,
      unshownAfter: undefined,
      saveBdSeq(bdSeq) {
        if (failures-- > 0) throw new Error('the disk is full');
        kept.saveBdSeq(bdSeq);
      },
      saveUnshownAfter: () => undefined,
      [Symbol.dispose]: () => undefined,
    };
    // It never answers, so that there is one connection only.
    const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const limits = { unacknowledgedMax: 1000, acknowledgedKept: 0 };
    using outbox = openOutbox({ file: join(root, 'outbox.sqlite'), nowMs: 1, ...limits });
    const outputs = {
      properties: [],
      set: async () => ({ kind: 'done' }) as const,
      onSet: () => undefined,
    };
    const edge = new SparkplugEdge({
      ...{ url: `mqtt://127.0.0.1:${port}`, keepaliveSeconds: 10, reconnectPeriodMs: 1 },
      ...{ group: 'lab', device: 'mote-1', properties: [], historyPerSecond: 100 },
      ...{ outbox, outputs, store, clock, log },
    });
    while (sockets.length === 0) await sleep(1);
    assert.equal(failures, -1);
    assert.equal(kept.bdSeq, 7);
    await edge[Symbol.asyncDispose]();
    kept[Symbol.dispose]();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});
