import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { createManualClock, type ManualClock } from '#runtime/clock/manual-clock.ts';
import { createEvents, type Events } from '#runtime/observe/events.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import { qualityCodes } from '#shared/sparkplug/edge-metrics.ts';
import type { ReportedValue } from '#shared/sparkplug/host-birth.ts';
import type { HostNodeEffect } from '#shared/sparkplug/host-node-state.ts';
import type { MetricValue } from '#shared/sparkplug/metric.ts';
import { OUTBOX_METRIC, outboxIdOf, sequenceProperty } from '#shared/wire/live-state.ts';
import { reportedOf } from '../twins/thing-facts.ts';
import { TwinStore } from '../twins/twin-store.ts';
import { LiveState } from './live-state.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-live-'));
after(() => rmSync(root, { recursive: true }));
const epoch = '0123456789abcdef';
const address = { group: 'lab', node: 'mote-1' };
const PATH = 'air/temperature';

function value(name: string, stated: MetricValue | null, rest: Partial<ReportedValue> = {}) {
  const flags = { isHistorical: false, isTransient: false };
  return { name, datatype: 'Double', value: stated, timestampMs: 1000, ...flags, ...rest } as const;
}

describe('state that is heard live', () => {
  let store: TwinStore;
  let clock: ManualClock;
  let live: LiveState;
  let events: Events;

  beforeEach(() => {
    const file = join(mkdtempSync(join(root, 'node-')), 'twins.sqlite');
    store = new TwinStore(file, { group: 'lab', nowMs: 0 });
    clock = createManualClock(1_700_000_000_000);
    events = createEvents(log, clock);
    live = new LiveState({ store, clock, events });
  });
  afterEach(() => {
    live[Symbol.dispose]();
    store[Symbol.dispose]();
  });

  const bear = (id = outboxIdOf(epoch)) => {
    const values = [value(OUTBOX_METRIC, id, { datatype: 'String' })];
    hear({ kind: 'node-born', bdSeq: 0, atMs: 0, values });
  };
  const hear = (...effects: HostNodeEffect[]) => live.take({ address, effects });
  const say = (sequence: number, stated: MetricValue | null, rest: Partial<ReportedValue> = {}) => {
    const properties = [sequenceProperty(sequence)];
    const values = [value('temperature', stated, { properties, ...rest })];
    hear({ kind: 'values', device: 'air', values });
  };
  const connect = () => {
    store.beginEpoch('mote-1', epoch);
    store.change('mote-1', { kind: 'presence', online: true, units: {}, nowMs: 0 });
  };
  const commit = (first: number, count: number) =>
    store.commit(
      [
        {
          device: 'mote-1',
          message: {
            ...{ epoch, available: 1 },
            samples: Array.from({ length: count }, (_, i) => ({
              ...{ sequence: first + i, property: PATH, timeMs: first + i },
              ...{ value: first + i, quality: 'ok' as const },
            })),
          },
        },
      ],
      clock.nowMs(),
    );
  const shown = () => reportedOf(store.get('mote-1')!, PATH);
  const revision = () => store.get('mote-1')!.revision;

  it('is in the twin at once while the stream is behind, and no sample', () => {
    connect();
    bear();
    commit(1, 10);
    say(5000, 42);
    clock.advance(250);
    assert.deepEqual(
      { ...shown() },
      {
        ...{ value: 42, timeMs: 1000, receivedMs: clock.nowMs(), quality: 'ok' },
        source: { epoch, generation: 1, sequence: 5000 },
      },
    );
    assert.equal(store.samplesOf('mote-1'), 10);
  });

  it('stays while the stream catches up, which stores each sample once', () => {
    connect();
    bear();
    say(30, 42);
    clock.advance(250);
    const before = revision();
    commit(1, 29);
    commit(30, 1);
    assert.equal(shown()?.value, 42);
    assert.equal(revision(), before);
    commit(31, 1);
    assert.equal(shown()?.value, 31);
    assert.equal(store.samplesOf('mote-1'), 31);
    const range = { fromMs: 0, toMs: 10_000, countMax: 100 };
    const series = store.samples.between({ device: 'mote-1', property: PATH }, range);
    assert.deepEqual(
      series.map(({ timeMs }) => timeMs),
      Array.from({ length: 31 }, (_, i) => i + 1),
    );
  });

  it('writes nothing where the stream is current', () => {
    connect();
    bear();
    say(7, 7);
    commit(1, 7);
    const before = revision();
    store.showAhead = () => assert.fail('there is nothing to show');
    clock.advance(5000);
    commit(8, 3);
    say(9, 99);
    clock.advance(5000);
    assert.equal(revision(), before + 1);
    assert.deepEqual(events.counts(), {});
  });

  it('waits for the device to say on its own channel whose outbox it is', () => {
    bear();
    say(5, 42);
    clock.advance(3000);
    assert.equal(store.get('mote-1'), undefined);
    store.beginEpoch('mote-1', 'f'.repeat(16));
    store.change('mote-1', { kind: 'presence', online: true, units: {}, nowMs: 0 });
    clock.advance(3000);
    assert.equal(shown(), undefined);
    connect();
    clock.advance(3000);
    assert.equal(shown()?.value, 42);
  });

  it('is kept for a device that dies, if it is one', () => {
    bear();
    say(5, 42);
    hear({ kind: 'node-died', atMs: 0 });
    connect();
    clock.advance(3000);
    assert.equal(shown(), undefined);
    bear();
    say(6, 43);
    clock.advance(250);
    say(7, 44);
    hear({ kind: 'node-died', atMs: 0 });
    clock.advance(250);
    assert.equal(shown()?.value, 44);
  });

  it('is the newest by sequence, whatever the clock of the device says', () => {
    connect();
    bear();
    say(5, 1, { timestampMs: 4e12 });
    say(6, 2, { timestampMs: 10 });
    say(4, 3, { timestampMs: 5e12 });
    clock.advance(250);
    assert.deepEqual([shown()?.value, shown()?.timeMs], [2, 10]);
  });

  it('has its quality, and is nothing that a sample could not be', () => {
    connect();
    bear();
    const properties = (quality: number) => [
      { key: 'Quality', value: { kind: 'int', value: quality } as const },
      sequenceProperty(9),
    ];
    say(9, null, { properties: properties(qualityCodes.bad) });
    clock.advance(250);
    assert.deepEqual([shown()?.value, shown()?.quality], [null, 'gap']);
    const before = revision();
    say(10, Number.NaN);
    say(11, Number.POSITIVE_INFINITY);
    say(12, 'x'.repeat(2 ** 21));
    say(13, 1, { timestampMs: 9e15 });
    say(14, 1, { isHistorical: true });
    say(15, 1, { properties: [] });
    say(-1, 1);
    hear({ kind: 'values', device: 'Air/../', values: [value('t', 1)] });
    clock.advance(250);
    assert.equal(revision(), before);
  });

  it('is kept for a disk that is full', () => {
    connect();
    bear();
    const showAhead = store.showAhead.bind(store);
    store.showAhead = () => {
      throw new Error('the disk is full');
    };
    say(5, 42);
    clock.advance(500);
    assert.equal(shown(), undefined);
    store.showAhead = showAhead;
    clock.advance(2000);
    assert.equal(shown()?.value, 42);
  });

  it('of an edge node that names no outbox is nobody’s sample', () => {
    connect();
    hear({ kind: 'node-born', bdSeq: 0, atMs: 0, values: [] });
    say(5, 42);
    clock.advance(5000);
    assert.equal(shown(), undefined);
  });
});
