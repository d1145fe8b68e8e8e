import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { type NewSample, openOutbox } from './outbox.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-outbox-'));
after(() => rmSync(folder, { recursive: true }));

let file = '';
let files = 0;
beforeEach(() => {
  file = join(folder, `outbox-${files++}.sqlite`);
});

function open(limits: { unacknowledgedMax?: number; acknowledgedKept?: number } = {}) {
  return openOutbox({
    file,
    nowMs: 1000,
    unacknowledgedMax: 1000,
    acknowledgedKept: 1000,
    ...limits,
  });
}

function samples(count: number, property = 'environment/temperature'): NewSample[] {
  return Array.from({ length: count }, (_, i) => ({
    property,
    timeMs: i,
    value: i / 2,
    quality: 'ok',
  }));
}

const sequences = (list: { sequence: number }[]) => list.map(({ sequence }) => sequence);

describe('outbox', () => {
  it('numbers samples and gives them back in order', () => {
    using outbox = open();
    outbox.append(samples(2));
    outbox.append(samples(1, 'environment/humidity'));
    assert.deepEqual(sequences(outbox.following(0, 10)), [1, 2, 3]);
    assert.deepEqual(sequences(outbox.following(1, 1)), [2]);
    assert.equal(outbox.following(2, 1)[0]?.property, 'environment/humidity');
    assert.equal(outbox.producedOf('environment/temperature'), 2);
  });

  it('goes on where it was after it is opened again', () => {
    let epoch: string;
    {
      using outbox = open();
      epoch = outbox.epoch;
      outbox.append(samples(3));
      outbox.acknowledge(2);
    }
    using outbox = open();
    assert.equal(outbox.epoch, epoch);
    assert.equal(outbox.startedMs, 1000);
    assert.deepEqual(outbox.counts(), { produced: 3, acknowledged: 2, available: 3, dropped: 0 });
    outbox.append(samples(1));
    assert.deepEqual(sequences(outbox.following(0, 10)), [1, 2, 3, 4]);
  });

  it('gives every file an epoch of its own', () => {
    using one = open();
    file = `${file}-other`;
    using other = open();
    assert.notEqual(one.epoch, other.epoch);
  });

  it('keeps what is not acknowledged, and of the rest only so many', () => {
    using outbox = open({ acknowledgedKept: 2 });
    outbox.append(samples(10));
    assert.equal(outbox.following(0, 100).length, 10);
    outbox.acknowledge(9);
    outbox.append(samples(1));
    assert.deepEqual(sequences(outbox.following(0, 100)), [10, 11]);
    assert.equal(outbox.counts().dropped, 0);
  });

  it('does not take an acknowledgement back', () => {
    using outbox = open();
    outbox.append(samples(5));
    outbox.acknowledge(4);
    outbox.acknowledge(2);
    assert.equal(outbox.counts().acknowledged, 4);
  });

  it('drops the oldest when full, and counts them', () => {
    using outbox = open({ unacknowledgedMax: 4 });
    outbox.append(samples(3));
    outbox.append(samples(3));
    assert.deepEqual(sequences(outbox.following(0, 10)), [3, 4, 5, 6]);
    assert.deepEqual(outbox.counts(), { produced: 6, acknowledged: 0, available: 3, dropped: 2 });
    outbox.acknowledge(6);
    outbox.append(samples(1));
    assert.equal(outbox.counts().dropped, 2);
  });

  it('stores what is not a number as nothing, and says so', () => {
    using outbox = open();
    outbox.append([
      { property: 'a/b', timeMs: 0, value: Number.NaN, quality: 'ok' },
      { property: 'a/b', timeMs: 0, value: Number.POSITIVE_INFINITY, quality: 'stale' },
    ]);
    const [first, second] = outbox.following(0, 2);
    assert.deepEqual([first?.value, first?.quality], [null, 'range']);
    assert.deepEqual([second?.value, second?.quality], [null, 'stale']);
  });

  it('gives the newest of a property, oldest first', () => {
    using outbox = open();
    outbox.append(samples(5));
    outbox.append(samples(5, 'a/b'));
    assert.deepEqual(sequences(outbox.newestOf('environment/temperature', 2)), [4, 5]);
  });

  it('stores all of a batch or nothing of it', () => {
    using outbox = open();
    const [good] = samples(1, 'new/property');
    assert.throws(() => outbox.append([good!, { ...good!, timeMs: {} as number }]));
    assert.equal(outbox.counts().produced, 0);
    outbox.append([good!]);
    assert.deepEqual(sequences(outbox.newestOf('new/property', 9)), [1]);
  });
});
