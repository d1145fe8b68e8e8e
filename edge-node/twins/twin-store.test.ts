import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { openDatabase, openDatabaseReadOnly } from '#runtime/database/database.ts';
import type { Sample } from '#shared/twin/sample.ts';
import type { DataMessage } from '#shared/wire/telemetry.ts';
import { reportedOf } from './thing-facts.ts';
import { twinSchema } from './twin-schema.ts';
import { TwinStore } from './twin-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-twins-'));
after(() => rmSync(folder, { recursive: true }));

let file = '';
let files = 0;
beforeEach(() => {
  file = join(folder, `twins-${files++}.sqlite`);
});

const EPOCH = '0123456789abcdef';

function data(first: number, count: number, property = 'environment/temperature'): DataMessage {
  const samples: Sample[] = Array.from({ length: count }, (_, i) => ({
    sequence: first + i,
    property,
    timeMs: 1000 * (first + i),
    value: first + i,
    quality: 'ok',
  }));
  return { epoch: EPOCH, available: 1, samples };
}

function open(nowMs = 0): TwinStore {
  return new TwinStore(file, { group: 'lab', nowMs });
}

function reported(store: TwinStore, device: string) {
  return reportedOf(store.get(device)!, 'environment/temperature');
}

function storedSequences(): number[] {
  const database = openDatabaseReadOnly(file, twinSchema);
  const rows = database.prepare('SELECT sequence FROM samples ORDER BY sequence').all();
  database.close();
  return (rows as { sequence: number }[]).map(({ sequence }) => sequence);
}

describe('twin store', () => {
  it('commits samples with the twin and acknowledges them', () => {
    using store = open();
    const acknowledged = store.commit([{ device: 'mote-1', message: data(1, 3) }], 5);
    assert.deepEqual(acknowledged, [
      { device: 'mote-1', committed: { v: 1, epoch: EPOCH, sequence: 3 } },
    ]);
    assert.equal(reported(store, 'mote-1')?.value, 3);
    assert.deepEqual(storedSequences(), [1, 2, 3]);
  });

  it('finds the newest epoch of a device without looking at all it ever had', () => {
    open()[Symbol.dispose]();
    const database = openDatabaseReadOnly(file, twinSchema);
    const newest = 'SELECT epoch FROM streams WHERE device = ? ORDER BY generation DESC LIMIT 1';
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${newest}`).all('a') as { detail: string }[];
    database.close();
    assert.deepEqual(
      plan.map(({ detail }) => detail),
      ['SEARCH streams USING INDEX newest_streams (device=?)'],
    );
  });

  it('keeps so many counts of what a device dropped, and those up to date', () => {
    using store = open();
    const tell = (n: number, count: number) => {
      const epoch = n.toString(16).padStart(16, '0');
      const dropped = Array.from({ length: 999 }, (_, p) => ({
        ...{ property: `claimed/${p}`, rule: 'thin' as const, count },
      }));
      store.commit([{ device: 'liar', message: { ...data(1, 1), epoch, dropped } }], 5);
    };
    for (let n = 0; n < 15; n++) tell(n, 1);
    assert.deepEqual(store.samples.droppedOf('liar'), { thin: 9990 });
    tell(3, 2);
    assert.deepEqual(store.samples.droppedOf('liar'), { thin: 9990 + 999 });
  });

  it('counts what devices dropped, whatever they claim', () => {
    using store = open();
    const count = Number.MAX_SAFE_INTEGER - 500;
    const claimed = Array.from({ length: 999 }, (_, n) => `claimed/${n}`);
    for (const epoch of [EPOCH, '0000000000000001']) {
      const dropped = claimed.map((property) => ({ property, rule: 'oldest' as const, count }));
      store.commit([{ device: 'liar', message: { ...data(1, 1), epoch, dropped } }], 5);
    }
    const dropped = [{ property: 'a/b', rule: 'thin' as const, count: 7 }];
    store.commit([{ device: 'mote-1', message: { ...data(1, 1), dropped } }], 5);
    assert.deepEqual(store.samples.dropped().get('mote-1'), { thin: 7 });
    assert.ok(store.samples.droppedOf('liar').oldest! > Number.MAX_SAFE_INTEGER);
  });

  it('stores each sample once when deliveries overlap', () => {
    using store = open();
    store.commit([{ device: 'a', message: data(1, 3) }], 0);
    store.commit(
      [
        { device: 'a', message: data(2, 3) },
        { device: 'a', message: data(1, 5) },
      ],
      0,
    );
    assert.deepEqual(storedSequences(), [1, 2, 3, 4, 5]);
    assert.equal(store.samplesOf('a'), 5);
  });

  it('acknowledges nothing beyond a gap', () => {
    using store = open();
    store.commit([{ device: 'a', message: data(1, 1) }], 0);
    const [acknowledged] = store.commit([{ device: 'a', message: data(3, 1) }], 0);
    assert.equal(acknowledged?.committed.sequence, 1);
    assert.deepEqual(storedSequences(), [1]);
  });

  it('has everything again after it is opened again', () => {
    {
      using store = open();
      store.commit([{ device: 'a', message: data(1, 2) }], 7);
      store.change('a', { kind: 'presence', online: true, units: {}, nowMs: 8 });
    }
    using store = open();
    assert.equal(store.committed('a', EPOCH).sequence, 2);
    assert.equal(store.samplesOf('a'), 2);
    assert.equal(reported(store, 'a')?.timeMs, 2000);
    assert.equal(store.get('a')?.presence.online, false);
  });

  it('keeps streams of one device under different epochs apart', () => {
    using store = open();
    store.commit([{ device: 'a', message: data(1, 4) }], 0);
    const other = { ...data(1, 1), epoch: 'ffffffffffffffff' };
    const [acknowledged] = store.commit([{ device: 'a', message: other }], 0);
    assert.equal(acknowledged?.committed.sequence, 1);
  });

  it('bounds the number of properties a device may have', () => {
    using store = open();
    const samples = data(1, 1200).samples.map((sample) => ({
      ...sample,
      property: `feature/p${sample.sequence}`,
    }));
    store.commit([{ device: 'a', message: { epoch: EPOCH, available: 1, samples } }], 0);
    assert.equal(Object.keys(store.get('a')?.features.feature?.properties ?? {}).length, 1000);
    assert.equal(store.committed('a', EPOCH).sequence, 1200);
  });

  it('refuses a damaged file and leaves it alone', () => {
    writeFileSync(file, 'this is not a database, whatever its name says');
    assert.throws(() => open(), { code: 'database-corrupt', exit: 78 });
  });

  it('refuses a file from a newer version', () => {
    const database = openDatabase(file, twinSchema);
    database.pragma('user_version = 99');
    database.close();
    assert.throws(() => open(), { code: 'database-newer', exit: 78 });
  });
});
