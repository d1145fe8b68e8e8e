import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import type { z } from 'zod';
import type { Sample } from '#shared/twin/sample.ts';
import { TwinStore } from '../twin-store.ts';
import { retentionSchema } from './retention-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-retention-'));
after(() => rmSync(folder, { recursive: true }));

let file = '';
let files = 0;
beforeEach(() => {
  file = join(folder, `twins-${files++}.sqlite`);
});

const EPOCH = '0123456789abcdef';
const HOUR_MS = 3_600_000;
const RANGE = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER, countMax: 100_000 };

function open(retention: z.input<typeof retentionSchema> = {}): TwinStore {
  return new TwinStore(file, {
    group: 'lab',
    nowMs: 0,
    retention: retentionSchema.parse(retention),
  });
}

interface Batch {
  readonly first: number;
  readonly count: number;
  readonly device?: string;
  readonly property?: string;
  /** Of the first sample. */
  readonly timeMs?: number;
  readonly epoch?: string;
  readonly periodMs?: number;
}

function commit(store: TwinStore, batch: Batch, nowMs: number): void {
  const { first, count, device = 'a', property = 'env/t', periodMs = 1000 } = batch;
  const { epoch = EPOCH, timeMs = 1000 * first } = batch;
  for (let from = 0; from < count; from += 500) {
    const samples = Array.from({ length: Math.min(500, count - from) }, (_, i): Sample => {
      const index = from + i;
      const sequence = first + index;
      const atMs = timeMs + periodMs * index;
      return { sequence, property, timeMs: atMs, value: sequence, quality: 'ok' };
    });
    store.commit([{ device, message: { epoch, available: 1, samples } }], nowMs);
  }
}

/** Until there is nothing left to do; how many times it took. */
function sweepAll(store: TwinStore, nowMs: number): number {
  let times = 1;
  while (store.sweep(nowMs)) times += 1;
  return times;
}

const kept = (store: TwinStore, property = 'env/t', device = 'a') =>
  store.samples.between({ device, property }, RANGE);

describe('retention', () => {
  it('removes what came longer ago than its age, and keeps the roll-up', () => {
    using store = open({ ageHours: 2, stepSeconds: 100 });
    commit(store, { first: 1, count: 1000 }, 0);
    commit(store, { first: 1001, count: 1000 }, HOUR_MS);
    assert.equal(store.sweep(2 * HOUR_MS - 1), false);
    assert.equal(kept(store).length, 2000);
    sweepAll(store, 2 * HOUR_MS);
    assert.equal(kept(store)[0]?.value, 501, 'the mark is of the first message of an hour');
    sweepAll(store, 3 * HOUR_MS);
    const left = kept(store);
    assert.ok(left.length >= 100 && left[0]!.value! > 1000);
    assert.equal(store.samplesOf('a'), 2000, 'what was committed stays counted');
    assert.equal(store.retention.removed(), 2000 - left.length);
    const rollUps = store.retention.rollUps({ device: 'a', property: 'env/t' }, RANGE);
    const count = rollUps.reduce((sum, each) => sum + each.count, 0);
    assert.equal(count, store.retention.removed());
    const parted = rollUps.find(({ timeMs }) => timeMs === 500_000);
    assert.equal(parted?.mean.toFixed(6), '549.500000', 'one went before the other 99');
    const second = rollUps.find(({ timeMs }) => timeMs === 100_000);
    assert.deepEqual(
      { ...second, mean: second?.mean.toFixed(6) },
      { timeMs: 100_000, stepMs: 100_000, count: 100, mean: '149.500000', min: 100, max: 199 },
    );
  });

  it('goes by when samples came, not by the clock of the device', () => {
    using store = open({ ageHours: 1 });
    commit(store, { first: 1, count: 600, timeMs: 0, device: 'slow' }, 50 * HOUR_MS);
    commit(store, { first: 1, count: 600, timeMs: 1e15, device: 'fast' }, 50 * HOUR_MS);
    sweepAll(store, 50 * HOUR_MS + 1);
    assert.equal(kept(store, 'env/t', 'slow').length, 600);
    sweepAll(store, 51 * HOUR_MS);
    commit(store, { first: 601, count: 1, timeMs: 2e15, device: 'fast' }, 51 * HOUR_MS);
    sweepAll(store, 53 * HOUR_MS);
    assert.ok(kept(store, 'env/t', 'fast').length < 600);
  });

  it('comes to the end of streams that have ended', () => {
    using store = open({ ageHours: 2 });
    for (let hour = 0; hour < 10; hour++) {
      const epoch = `${hour}`.padStart(16, '0');
      commit(store, { first: 1, count: 1500, timeMs: hour * HOUR_MS, epoch }, hour * HOUR_MS);
      sweepAll(store, hour * HOUR_MS + 1);
    }
    sweepAll(store, 13 * HOUR_MS);
    sweepAll(store, 16 * HOUR_MS);
    assert.equal(kept(store).length, 100);
    assert.equal(store.retention.removed(), 14_900);
  });

  it('removes what comes from a device whose clock stands still', () => {
    using store = open({ ageHours: 1 });
    commit(store, { first: 1, count: 2000, timeMs: 5, periodMs: 0 }, 0);
    commit(store, { first: 2001, count: 1, timeMs: 5 }, HOUR_MS);
    sweepAll(store, 3 * HOUR_MS);
    assert.deepEqual([kept(store).length, store.retention.removed()], [100, 1901]);
    assert.equal(kept(store).at(-1)?.value, 2001);
  });

  it('has ages by property, of which the first that matches counts', () => {
    const rules = [
      { property: 'env/t', ageHours: 100 },
      { property: 'env/*', ageHours: 1 },
    ];
    using store = open({ rules });
    commit(store, { first: 1, count: 500, property: 'env/t' }, 0);
    commit(store, { first: 501, count: 500, property: 'env/h' }, 0);
    commit(store, { first: 1001, count: 500, property: 'power/v' }, 0);
    commit(store, { first: 1501, count: 1 }, HOUR_MS);
    sweepAll(store, 3 * HOUR_MS);
    const lengths = ['env/t', 'env/h', 'power/v'].map((name) => kept(store, name).length);
    assert.deepEqual(lengths, [501, 100, 500]);
  });

  it('goes on where it was after a start, and begins anew under other rules', () => {
    {
      using store = open({ ageHours: 1 });
      commit(store, { first: 1, count: 3000 }, 0);
      commit(store, { first: 3001, count: 1 }, HOUR_MS);
      store.sweep(2 * HOUR_MS);
    }
    {
      using store = open({ ageHours: 1 });
      sweepAll(store, 2 * HOUR_MS);
      assert.equal(kept(store).length, 100);
      assert.equal(store.samplesOf('a'), 3001);
      commit(store, { first: 3002, count: 2000, property: 'env/h' }, 2 * HOUR_MS);
      commit(store, { first: 5002, count: 1 }, 3 * HOUR_MS);
    }
    using store = open({ ageHours: 1000, rules: [{ property: '*/h', ageHours: 1 }] });
    sweepAll(store, 10 * HOUR_MS);
    assert.deepEqual([kept(store).length, kept(store, 'env/h').length], [101, 100]);
  });

  it('removes what came first where the file is too large, and uses its room again', () => {
    const sizeBytesMax = 2 ** 20;
    using store = open({ sizeBytesMax });
    let largest = 0;
    for (let round = 0; round < 8; round++) {
      for (const device of ['a', 'b']) {
        commit(store, { first: 1 + 5000 * round, count: 5000, device }, round);
      }
      sweepAll(store, round);
      largest = Math.max(largest, store.retention.fileBytes());
    }
    assert.ok(store.retention.usedBytes() <= sizeBytesMax);
    assert.ok(largest < 3 * sizeBytesMax, `${largest} bytes: the room is used again`);
    const [oldest] = kept(store);
    assert.ok(oldest!.value! > 30_000, 'the newest are there');
    assert.equal(store.samplesOf('a') + store.samplesOf('b'), 80_000);
    const rollUps = ['a', 'b'].flatMap((device) =>
      store.retention.rollUps({ device, property: 'env/t' }, RANGE),
    );
    const summed = rollUps.reduce((sum, { count }) => sum + count, 0);
    const there = kept(store).length + kept(store, 'env/t', 'b').length;
    assert.equal(summed + there, 80_000);
  });

  it('drops revisions by their bytes, and can tell what is left', () => {
    using store = open({ historySizeBytesMax: 2 ** 16 });
    const text = 'x'.repeat(10);
    for (let n = 1; n <= 1100; n++) {
      const edit = { op: 'put', path: '', value: { attributes: { n, text } } } as const;
      store.change('a', { kind: 'edited', nowMs: n, by: 'ann', edit });
    }
    sweepAll(store, 0);
    const { bytes, removed } = store.history.size();
    assert.ok(bytes <= 2 ** 16 && removed === 500);
    assert.equal(store.history.at('a', 500), undefined);
    for (const revision of [512, 513, 1100]) {
      const attributes = store.history.at('a', revision)?.content?.attributes;
      assert.deepEqual(attributes, { n: revision, text });
    }
    assert.equal(store.history.ofThing('a', 0, 1)[0]?.revision, 501);
  });

  it('forgets the oldest of very many things that were deleted', () => {
    using store = open();
    for (let n = 0; n < 1002; n++) {
      const by = { by: 'ann', nowMs: n } as const;
      const path = '';
      store.change(`d${n}`, { kind: 'edited', ...by, edit: { op: 'put', path, value: {} } });
      store.change(`d${n}`, { kind: 'edited', ...by, edit: { op: 'delete', path } });
    }
    sweepAll(store, 0);
    assert.equal(store.current('d1'), undefined);
    assert.ok(store.current('d2'));
    const edit = { op: 'put', path: '', value: {} } as const;
    assert.ok(store.change('d1', { kind: 'edited', nowMs: 1, by: 'ann', edit }).ok);
    assert.deepEqual(
      store.all().map(({ thingId }) => thingId),
      ['lab:d1'],
    );
  });
});
