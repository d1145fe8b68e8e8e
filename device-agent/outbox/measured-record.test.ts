import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { openDatabase } from '#runtime/database/database.ts';
import { type NewSample, openOutbox } from './outbox.ts';
import { outboxSchema } from './outbox-schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-measured-'));
after(() => rmSync(folder, { recursive: true }));

let file = '';
let files = 0;
beforeEach(() => {
  file = join(folder, `outbox-${files++}.sqlite`);
});

function open(acknowledgedKept = 100) {
  return openOutbox({ file, nowMs: 1000, unacknowledgedMax: 1000, acknowledgedKept });
}

const mark = { predictor: 'hold', depth: 1, ordinal: 1, tolerance: 0.1, heartbeatMs: 1000 };

function sample(timeMs: number, property = 'a/x'): NewSample {
  return { property, timeMs, value: timeMs / 2, quality: 'ok' };
}

function report(timeMs: number, property = 'a/x'): NewSample {
  return { ...sample(timeMs, property), report: mark };
}

const times = (list: readonly { timeMs: number }[]) => list.map(({ timeMs }) => timeMs);

describe('the record of what was measured', () => {
  it('has every sample of a property, sent whole, in part and whole again', () => {
    {
      using outbox = open();
      outbox.append([sample(1), sample(2), sample(2, 'b/y')]);
      outbox.append([report(3)], [sample(3)]);
      outbox.append([], [sample(4)]);
      outbox.append([sample(9, 'b/y')], [sample(5)]);
      outbox.append([report(6)], [sample(6)]);
      outbox.append([sample(7)]);
    }
    using outbox = open();
    assert.deepEqual(times(outbox.measured.newestOf('a/x', 99)), [1, 2, 3, 4, 5, 6, 7]);
    assert.deepEqual(times(outbox.measured.newestOf('a/x', 3)), [5, 6, 7]);
    assert.deepEqual(times(outbox.measured.newestOf('b/y', 9)), [2, 9]);
    assert.equal(outbox.producedOf('a/x'), 7);
    assert.equal(outbox.counts().produced, 7, 'a/x five times, b/y twice');
    assert.deepEqual(outbox.newestOf('a/x', 9).at(-2)?.report, mark);
  });

  it('gives back what there was at a mark', () => {
    using outbox = open();
    const expected = new Map<number, number[][]>();
    const newest = (mark?: number) =>
      ['a/x', 'b/y'].map((property) => times(outbox.measured.newestOf(property, 4, mark)));
    for (let timeMs = 1; timeMs <= 40; timeMs++) {
      const isSent = timeMs % 3 === 0;
      outbox.append(isSent ? [report(timeMs)] : [], [sample(timeMs)]);
      if (timeMs % 5 === 0) outbox.append([sample(timeMs, 'b/y')]);
      expected.set(outbox.measured.mark(), newest());
    }
    assert.equal(expected.size, 40);
    for (const [at, known] of expected) assert.deepEqual(newest(at), known);
  });

  it('goes on where sequences begin anew, and reports stay what they are', () => {
    using outbox = open();
    for (let timeMs = 1; timeMs <= 9; timeMs++) outbox.append([report(timeMs)], [sample(timeMs)]);
    // The edge node has as many of another copy of this outbox, and three that both had.
    const [ours] = [outbox.followingRun(0, 1).run!];
    outbox.acknowledge(3, [ours]);
    assert.ok(outbox.acknowledge(20, [ours, { id: 'ffffffff', first: 4 }]));
    const recalled = () => times(outbox.measured.newestOf('a/x', 3, outbox.measured.mark()));
    assert.deepEqual(recalled(), [7, 8, 9]);
    outbox.append([report(10)], [sample(10)]);
    const mark = outbox.measured.mark();
    outbox.append([report(11)], [sample(11)]);
    assert.deepEqual(times(outbox.measured.newestOf('a/x', 3, mark)), [8, 9, 10]);
    const carried = outbox.following(0, 99);
    assert.deepEqual(times(carried), [4, 5, 6, 7, 8, 9, 10, 11]);
    assert.ok(carried.every((each) => each.report !== undefined));
  });

  it('is bounded, also where everything is acknowledged', () => {
    using outbox = open(10);
    for (let timeMs = 1; timeMs <= 50; timeMs++) {
      outbox.append([report(timeMs)], [sample(timeMs)]);
      outbox.acknowledge(timeMs);
    }
    assert.deepEqual(times(outbox.measured.newestOf('a/x', 99)).length, 10);
    assert.equal(outbox.measured.mark(), 100);
  });

  it('is stored with the samples or not at all', () => {
    using outbox = open();
    const bad = { ...sample(2), timeMs: 1n as unknown as number, property: null as never };
    assert.throws(() => outbox.append([report(1)], [sample(1), bad]));
    assert.deepEqual(outbox.measured.newestOf('a/x', 9), []);
    assert.equal(outbox.counts().produced, 0);
  });

  it('begins with an outbox of the first format', () => {
    const old = openDatabase(file, { ...outboxSchema, migrations: [outboxSchema.migrations[0]!] });
    old.exec(`INSERT INTO outbox VALUES (1, '0123456789abcdef', 5, 2, 1, 2, 0);
      INSERT INTO properties (id, name) VALUES (1, 'a/x');
      INSERT INTO samples VALUES (1, 1, 10, 1.5, 0), (2, 1, 20, 2.5, 0);`);
    old.close();
    using outbox = open();
    outbox.append([report(30)], [sample(30)]);
    assert.deepEqual(times(outbox.measured.newestOf('a/x', 9)), [10, 20, 30]);
    assert.equal(outbox.producedOf('a/x'), 3);
    assert.deepEqual(times(outbox.following(1, 9)), [20, 30]);
  });
});
