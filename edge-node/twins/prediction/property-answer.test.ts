import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { openDatabase } from '#runtime/database/database.ts';
import { seededRandom } from '#shared/basics/seeded-random.ts';
import type { Observed } from '#shared/twin/prediction/reporting.ts';
import type { Sample } from '#shared/twin/sample.ts';
import { twinSchema } from '../twin-schema.ts';
import { TwinStore } from '../twin-store.ts';
import { propertyAnswer } from './property-answer.ts';
import { reportsOf } from './reporting-device.fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-answers-'));
after(() => rmSync(folder, { recursive: true }));

let file = '';
let files = 0;
beforeEach(() => {
  file = join(folder, `twins-${files++}.sqlite`);
});

const epoch = '0123456789abcdef';
const device = 'mote-1';
const property = 'env/t';
const policy = { tolerance: 0.5, heartbeatMs: 2000 };
const way = { property, policy, predictor: 'linear' };

function open(nowMs = 0): TwinStore {
  return new TwinStore(file, { group: 'lab', nowMs });
}

function walk(count: number): Observed[] {
  const random = seededRandom(5);
  let value = 20;
  return Array.from({ length: count }, (_, i) => {
    value += random() - 0.5;
    return { timeMs: 100 * i, value, quality: 'ok' };
  });
}

function deliver(store: TwinStore, samples: readonly Sample[], waiting = 0): void {
  const message = { epoch, available: samples[0]!.sequence, samples, waiting };
  store.commit([{ device, message }], samples.at(-1)!.timeMs);
}

function online(store: TwinStore, isOnline = true): void {
  store.change(device, { kind: 'presence', online: isOnline, units: {}, nowMs: 1 });
}

function ask(store: TwinStore, atMs: number | undefined, nowMs = 1e6) {
  return propertyAnswer(store, { device, property, atMs, nowMs });
}

function basis(store: TwinStore, nowMs: number) {
  return ask(store, undefined, nowMs)?.errorBasis;
}

describe('the answer to a property', () => {
  for (const predictor of ['hold', 'linear', 'damped']) {
    it(`is within the tolerance at every sample, also after a restart: ${predictor}`, () => {
      const samples = walk(600);
      const sent = reportsOf(samples, { ...way, predictor });
      assert.ok(sent.length < 400);
      {
        using store = open();
        deliver(store, sent.slice(0, 20));
      }
      using store = open();
      deliver(store, sent.slice(20));
      online(store);
      for (const { timeMs, value } of samples) {
        const answer = ask(store, timeMs)!;
        assert.ok(Math.abs((answer.value as number) - value!) <= 0.5, `at ${timeMs}`);
        const isReport = sent.some((each) => each.timeMs === timeMs);
        assert.equal(answer.errorBasis, isReport ? 'reported' : 'tolerance');
        assert.equal(answer.expectedError, isReport ? 0 : 0.5);
      }
    });
  }

  it('says whether it was told, how old that is and how far off it may be', () => {
    using store = open();
    const at = [0, 100].map((timeMs): Observed => ({ timeMs, value: timeMs / 50, quality: 'ok' }));
    deliver(store, reportsOf(at, way));
    online(store);
    assert.deepEqual(ask(store, undefined, 150), {
      ...{ value: 3, quality: 'ok', timeMs: 150, origin: 'predicted', reportedMs: 100, ageMs: 50 },
      ...{ expectedError: 0.5, errorBasis: 'tolerance', predictor: 'linear', tolerance: 0.5 },
    });
    assert.equal(ask(store, 100)?.origin, 'reported');
    assert.equal(ask(store, -1), undefined, 'nothing was known then');
  });

  it('takes silence for agreement only where it can be that', () => {
    using store = open();
    const samples = reportsOf(walk(5), way);
    deliver(store, samples);
    const last = samples.at(-1)!.timeMs;
    assert.equal(basis(store, last + 50), 'untested', 'never online');
    online(store);
    assert.equal(basis(store, last + 50), 'tolerance');
    assert.equal(basis(store, last + 3000), 'tolerance');
    assert.equal(basis(store, last + 3001), 'untested', 'the heartbeat is overdue');
    const [next] = reportsOf([{ timeMs: last + 10, value: 90, quality: 'ok' }], way);
    const more = { ...next!, sequence: samples.length + 1 };
    deliver(store, [more], 7);
    assert.equal(basis(store, last + 60), 'untested', 'seven more samples wait');
    online(store, false);
    assert.equal(basis(store, last + 60), 'untested');
  });

  it('expects by the device own back-test what the link does not bring', () => {
    using store = open();
    const samples = reportsOf(walk(5), way);
    deliver(store, samples);
    const last = samples.at(-1)!.timeMs;
    const errors = [{ silentMs: 1000, error: 2.5 }];
    store.tracks.saveTests(device, [{ property, predictor: 'linear', errors }]);
    const half = ask(store, undefined, last + 500)!;
    assert.deepEqual([half.errorBasis, half.expectedError], ['back-test', 1.5]);
    const beyond = ask(store, undefined, last + 2000)!;
    assert.deepEqual([beyond.errorBasis, beyond.expectedError], ['beyond', 5]);
    store.tracks.saveTests(device, [{ property, predictor: 'hold', errors }]);
    assert.equal(basis(store, last + 500), 'untested', 'a test of another predictor');
  });

  it('takes no silence for agreement while samples before those that came are missing', () => {
    using store = open();
    const samples = reportsOf(walk(5), way);
    deliver(store, samples);
    online(store);
    const last = samples.at(-1)!;
    const far = { ...last, sequence: last.sequence + 5 };
    store.commit([{ device, message: { epoch, available: 1, samples: [far] } }], 0);
    assert.equal(basis(store, last.timeMs + 50), 'untested');
  });

  it('says nothing of what is behind a value that was seen live ahead of its stream', () => {
    using store = open();
    const samples = reportsOf(walk(5), way);
    const other = { property: 'env/h', value: 1, quality: 'ok' } as const;
    deliver(store, samples);
    online(store);
    const last = samples.at(-1)!.timeMs;
    const waiting = [{ ...other, sequence: samples.length + 1, timeMs: last + 1 }];
    deliver(store, waiting, 9);
    const live = { ...other, property: 'live/x', sequence: samples.length + 9, timeMs: last + 900 };
    store.showAhead([{ device, epoch, generation: 1, samples: [live] }], last + 900);
    assert.equal(basis(store, last + 900), 'untested', 'of these reports may wait');
    const ahead = propertyAnswer(store, { device, property: 'live/x', nowMs: last + 950 })!;
    assert.deepEqual([ahead.value, ahead.ageMs, ahead.errorBasis], [1, 50, 'untested']);
  });

  it('is the last value, and promises nothing, where every sample is sent', () => {
    using store = open();
    const sample = { sequence: 1, property, timeMs: 100, value: 7, quality: 'ok' } as const;
    deliver(store, [sample]);
    online(store);
    const answer = ask(store, undefined, 150)!;
    assert.deepEqual([answer.value, answer.ageMs, answer.predictor], [7, 50, 'hold']);
    assert.deepEqual([answer.expectedError, answer.errorBasis], [null, 'untested']);
    assert.equal('tolerance' in answer, false);
    assert.equal(ask(store, 100)?.errorBasis, 'reported');
  });

  it('says so where reports are missing', () => {
    using store = open();
    const sent = reportsOf(walk(200), way);
    const gap = sent.slice(0, 4);
    deliver(store, gap);
    const message = { epoch, available: 6, samples: sent.slice(5, 6) };
    store.commit([{ device, message }], 0);
    online(store);
    assert.equal(basis(store, sent[5]!.timeMs + 1), 'out-of-step');
    assert.equal(
      ask(store, sent[3]!.timeMs + 1)?.errorBasis,
      'out-of-step',
      'the next one is lost',
    );
    assert.equal(ask(store, sent[2]!.timeMs + 1)?.errorBasis, 'tolerance');
    const later = { epoch, available: 6, samples: sent.slice(6, 8) };
    store.commit([{ device, message: later }], 0);
    assert.equal(basis(store, sent[7]!.timeMs + 1), 'tolerance');
  });

  it('goes by the newest report where the clock was set back', () => {
    using store = open();
    const back = [1000, 2000, 500, 600].map(
      (timeMs, i): Observed => ({ timeMs, value: 10 * i, quality: 'ok' }),
    );
    deliver(store, reportsOf(back, { ...way, predictor: 'hold' }));
    assert.equal(ask(store, undefined, 700)?.value, 30);
  });

  it('is what the device said where somebody wrote over it, and none where it was deleted', () => {
    using store = open();
    deliver(store, reportsOf(walk(1), { ...way, predictor: 'hold' }));
    const path = '/features/env/properties/t';
    const edit = (op: 'put' | 'delete') => {
      const precondition = { revision: store.get(device)!.revision };
      const what = op === 'put' ? { op, path, value: 99 } : { op, path };
      const input = { kind: 'edited', nowMs: 50, by: 'eve', edit: what, precondition } as const;
      assert.ok(store.change(device, input).ok);
    };
    edit('put');
    assert.ok(ask(store, undefined, 60)!.value! < 30);
    edit('delete');
    assert.equal(ask(store, undefined, 60), undefined);
    assert.equal(propertyAnswer(store, { device: 'nobody', property, nowMs: 0 }), undefined);
    assert.equal(propertyAnswer(store, { device, property: 'env/none', nowMs: 0 }), undefined);
  });

  it('is found in a file of the format before', () => {
    const migrations = twinSchema.migrations.slice(0, 2);
    const old = openDatabase(file, { ...twinSchema, migrations });
    old.exec(`INSERT INTO streams VALUES (1, '${device}', '${epoch}', 1, 0, 1);
      INSERT INTO properties VALUES (1, '${device}', '${property}');
      INSERT INTO samples VALUES (1, 1, 1, 100, 7.5, 0);`);
    old.close();
    using store = open();
    const sent = reportsOf([{ timeMs: 200, value: 8, quality: 'ok' }], way);
    deliver(store, [{ ...sent[0]!, sequence: 2 }]);
    assert.equal(ask(store, 100)?.value, 7.5);
    assert.equal(ask(store, 100)?.errorBasis, 'reported');
    assert.equal(ask(store, undefined, 200)?.value, 8);
  });
});
