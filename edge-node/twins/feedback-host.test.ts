import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { openDatabase } from '#runtime/database/database.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { feedbackRulesSchema } from '#shared/feedback/feedback-rule.ts';
import { FeedbackHost } from './feedback-host.ts';
import { twinSchema } from './twin-schema.ts';
import { TwinStore } from './twin-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-feedback-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

function start(rule: object) {
  const clock = createManualClock(1000);
  const file = join(folder, `${files++}.sqlite`);
  const store = new TwinStore(file, { group: 'lab', nowMs: 0 });
  const events = createEvents(silentLog, clock);
  const rules = feedbackRulesSchema.parse([{ name: 'warn', ...rule }]);
  const host = new FeedbackHost({ store, rules, clock, events });
  let sequence = 0;
  const report = (device: string, value: number) => {
    const fact = {
      property: 'forecast/anomaly-score',
      timeMs: clock.nowMs(),
      quality: 'ok',
    } as const;
    const samples = [{ ...fact, sequence: ++sequence, value }];
    const message = { epoch: '0'.repeat(16), available: sequence, samples };
    store.commit([{ device, message }], clock.nowMs());
  };
  const wanted = (device: string) => {
    const desired = store.get(device)?.features.warning?.desired.output;
    return desired && [desired.value, desired.version, desired.writtenBy];
  };
  const close = () => {
    host[Symbol.dispose]();
    store[Symbol.dispose]();
  };
  return { clock, file, store, events, report, wanted, [Symbol.dispose]: close };
}

const threshold = { property: 'forecast/anomaly-score', above: 3, clear: 2 };
const set = { property: 'warning/output', value: true, otherwise: false };

describe('feedback', () => {
  it('is committed in the turn of the report that called for it, once', () => {
    using lab = start({ threshold, set });
    lab.report('a', 3.5);
    assert.deepEqual(lab.wanted('a'), [true, 1, 'rule:warn']);
    lab.report('a', 9);
    assert.deepEqual(lab.wanted('a'), [true, 1, 'rule:warn']);
    assert.equal(lab.events.counts()['feedback-written'], 1);
  });

  it('is taken back when its time has passed, with no further report', () => {
    using lab = start({ threshold, set, releaseMs: 500 });
    lab.report('a', 4);
    lab.report('b', 4);
    lab.report('a', 1);
    lab.clock.advance(200);
    lab.report('b', 1);
    lab.clock.advance(299);
    assert.deepEqual(lab.wanted('a')?.[0], true);
    lab.clock.advance(1);
    assert.deepEqual([lab.wanted('a')?.[0], lab.wanted('b')?.[0]], [false, true]);
    lab.clock.advance(200);
    assert.deepEqual(lab.wanted('b')?.[0], false);
  });

  it('says when the thing it is for is not there', () => {
    using lab = start({ threshold, set: { ...set, device: 'siren' } });
    lab.report('a', 4);
    assert.equal(lab.events.counts()['feedback-refused'], 1);
    assert.equal(lab.store.get('siren'), undefined);
  });

  it('is tried again where it could not be kept, as what it is by then', () => {
    using lab = start({ threshold, set, releaseMs: 0 });
    const other = openDatabase(lab.file, twinSchema);
    other.exec(`CREATE TRIGGER full BEFORE INSERT ON revisions WHEN new.by = 'rule:warn'
                BEGIN SELECT RAISE(ABORT, 'no room'); END`);
    lab.report('a', 4);
    lab.report('b', 4);
    lab.clock.advance(1000);
    lab.report('b', 1);
    assert.deepEqual([lab.wanted('a'), lab.wanted('b')], [undefined, undefined]);
    assert.ok(lab.events.counts()['commit-failed']! >= 4);
    other.exec('DROP TRIGGER full');
    other.close();
    lab.clock.advance(1000);
    assert.deepEqual([lab.wanted('a')?.[0], lab.wanted('b')?.[0]], [true, false]);
  });
});
