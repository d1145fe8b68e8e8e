import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { openDatabase } from '#runtime/database/database.ts';
import type { JsonValue } from '#shared/twin/document/json.ts';
import { thingContent } from '#shared/twin/document/thing.ts';
import type { ThingInput } from '#shared/twin/document/thing-step.ts';
import type { Sample } from '#shared/twin/sample.ts';
import { reportedOf } from './thing-facts.ts';
import { twinSchema } from './twin-schema.ts';
import { type CommittedStep, TwinStore } from './twin-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-things-'));
after(() => rmSync(folder, { recursive: true }));

let file = '';
let files = 0;
beforeEach(() => {
  file = join(folder, `things-${files++}.sqlite`);
});

const [EPOCH, LATER_EPOCH] = ['ffffffffffffffff', '0000000000000000'];

function open(nowMs = 0): TwinStore {
  return new TwinStore(file, { group: 'lab', nowMs });
}

function delivery(epoch: string, sequence: number, value: number) {
  const sample: Sample = {
    sequence,
    property: 'env/t',
    timeMs: 1000 * sequence,
    value,
    quality: 'ok',
  };
  return { device: 'a', message: { epoch, available: 1, samples: [sample] } };
}

function put(path: string, value: JsonValue): ThingInput {
  return { kind: 'edited', nowMs: 50, by: 'ann', edit: { op: 'put', path, value } };
}

describe('twin store, things', () => {
  it('takes reports of the epoch that was announced last, whatever its name', () => {
    using store = open();
    store.commit([delivery(EPOCH, 1, 1)], 0);
    store.beginEpoch('a', LATER_EPOCH);
    store.commit([delivery(LATER_EPOCH, 1, 2)], 0);
    store.commit([delivery(EPOCH, 2, 3)], 0);
    assert.equal(reportedOf(store.get('a')!, 'env/t')?.value, 2);
    assert.equal(store.samplesOf('a'), 3);
  });

  it('lets an epoch that returns win again, also after a start', () => {
    {
      using store = open();
      store.commit([delivery(EPOCH, 1, 1)], 0);
      store.commit([delivery(LATER_EPOCH, 1, 2)], 0);
      store.beginEpoch('a', EPOCH);
    }
    using store = open();
    store.commit([delivery(EPOCH, 2, 3)], 0);
    assert.equal(reportedOf(store.get('a')!, 'env/t')?.value, 3);
  });

  it('has the content of every revision and time, over snapshots and starts', () => {
    const contents = new Map<number, unknown>();
    for (const first of [1, 151]) {
      using store = open();
      for (let sequence = first; sequence < first + 150; sequence++) {
        store.commit([delivery(EPOCH, sequence, sequence)], 10 * sequence);
        const thing = store.get('a')!;
        contents.set(thing.revision, JSON.parse(JSON.stringify(thingContent(thing))));
      }
    }
    using store = open();
    for (const [revision, content] of contents) {
      assert.deepEqual(store.history.at('a', revision)?.content, content);
    }
    assert.equal(store.history.at('a', 0), undefined);
    assert.equal(store.history.at('a', 301), undefined);
    assert.equal(store.history.revisionAt('a', 1009), 100);
    assert.equal(store.history.revisionAt('a', 9), undefined);
    assert.deepEqual(
      store.history.ofThing('a', 298, 10).map(({ revision }) => revision),
      [299, 300],
    );
  });

  it('says of a deleted thing when it was there', () => {
    using store = open();
    store.change('a', put('', { attributes: { room: 1 } }));
    store.change('a', { kind: 'edited', nowMs: 60, by: 'ann', edit: { op: 'delete', path: '' } });
    assert.equal(store.get('a'), undefined);
    assert.equal(store.current('a')?.exists, false);
    assert.deepEqual(store.history.at('a', 1)?.content?.attributes, { room: 1 });
    assert.equal(store.history.at('a', 2)?.content, undefined);
  });

  it('tells listeners of a step only once it is in the file, in order', () => {
    using store = open();
    const told: [number, string[]][] = [];
    store.onCommit(({ device, thing, effects }: CommittedStep) => {
      const [newest] = store.history.ofThing(device, thing.revision - 1, 1);
      assert.equal(newest?.revision, thing.revision);
      if (thing.revision === 1) store.change('a', put('features/o/desiredProperties/p', true));
      told.push([thing.revision, effects.map(({ kind }) => kind)]);
    });
    store.commit([delivery(EPOCH, 1, 1)], 0);
    assert.deepEqual(told, [
      [1, ['record', 'notify']],
      [2, ['record', 'publish-desired', 'notify']],
    ]);
  });

  it('keeps nothing of a refused edit, and answers with its code', () => {
    using store = open();
    const refused = store.change('a', put('attributes/x', 1));
    assert.equal(refused.ok ? '' : refused.error.code, 'thing-not-found');
    assert.equal(store.size, 0);
  });

  it('records that devices went offline with the node', () => {
    {
      using store = open();
      store.change('a', { kind: 'presence', nowMs: 5, online: true, units: {} });
    }
    using store = open(77);
    assert.deepEqual(store.get('a')?.presence, { online: false, sinceMs: 77 });
    assert.deepEqual(
      store.history.ofThing('a', 1, 9).map(({ changes, timeMs }) => ({ changes, timeMs })),
      [{ changes: [{ path: '/online', value: false }], timeMs: 77 }],
    );
  });

  it('carries the twins of a file of the first format over', () => {
    const [first] = twinSchema.migrations;
    const old = openDatabase(file, { name: 'twin store', migrations: [first!] });
    const reported = { 'env/t': { value: 4, timeMs: 4000, quality: 'ok' } };
    const state = { device: 'a', revision: 9, modifiedMs: 5000, online: true, reported };
    const extra = { units: { 'env/t': 'Cel' }, attributes: { room: 'x' } };
    old.exec(
      `INSERT INTO streams VALUES (1, 'a', '${LATER_EPOCH}', 2, 0), (2, 'a', '${EPOCH}', 4, 0);
       INSERT INTO properties VALUES (1, 'a', 'env/t');
       INSERT INTO samples VALUES (2, 4, 1, 4000, 4.0, 0);`,
    );
    old.prepare('INSERT INTO twins VALUES (?, ?)').run('a', JSON.stringify({ ...state, ...extra }));
    old.close();
    for (let starts = 0; starts < 2; starts++) {
      using store = open();
      const thing = store.get('a')!;
      assert.equal(thing.revision, 9);
      assert.deepEqual(thing.attributes, { room: 'x' });
      assert.deepEqual(reportedOf(thing, 'env/t')?.source, {
        epoch: EPOCH,
        generation: 2,
        sequence: 4,
      });
      assert.deepEqual(store.history.at('a', 9)?.content, thingContent(thing));
    }
    {
      using store = open();
      store.commit([delivery(EPOCH, 5, 5)], 0);
    }
    using store = open();
    assert.equal(store.get('a')?.revision, 10);
    const points = store.samples.between(
      { device: 'a', property: 'env/t' },
      { fromMs: 4000, toMs: 5001, countMax: 9 },
    );
    assert.deepEqual(points, [
      { timeMs: 4000, value: 4 },
      { timeMs: 5000, value: 5 },
    ]);
  });

  it('lists what exists in the order of names, anew with each change', () => {
    using store = open();
    const names = () => store.all().map(({ thingId }) => thingId);
    for (const device of ['c', 'a', 'b']) store.change(device, put('', {}));
    assert.deepEqual(names(), ['lab:a', 'lab:b', 'lab:c']);
    assert.equal(store.all(), store.all());
    store.change('b', put('/attributes/x', 1));
    assert.deepEqual(store.all()[1]?.attributes, { x: 1 });
    store.change('b', { ...put('', {}), edit: { op: 'delete', path: '' } } as ThingInput);
    assert.deepEqual(names(), ['lab:a', 'lab:c']);
    store.change('b', put('', {}));
    assert.deepEqual(names(), ['lab:a', 'lab:b', 'lab:c']);
  });
});
