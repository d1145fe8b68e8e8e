import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { createManualClock, type ManualClock } from '#runtime/clock/manual-clock.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import type { Sample } from '#shared/twin/sample.ts';
import { type Outbox, openOutbox } from '../outbox/outbox.ts';
import { HistoryReplay } from './history-replay.ts';
import { openSessionStore, type SessionStore } from './session-store.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-history-'));
after(() => rmSync(root, { recursive: true }));

describe('what was measured while no Sparkplug session was up', () => {
  let folder: string;
  let outbox: Outbox;
  let store: SessionStore;
  let clock: ManualClock;
  let shown: number[];
  let notShown: number;

  const open = (perSecond = 100) => {
    const show = (samples: readonly Sample[]) => {
      shown.push(...samples.map(({ sequence }) => sequence));
      return samples.length;
    };
    const onNotShown = (count: number) => {
      notShown += count;
    };
    return new HistoryReplay({ outbox, store, perSecond, clock, log, show, onNotShown });
  };
  const measure = (count: number, value = (i: number) => i) =>
    outbox.append(
      Array.from({ length: count }, (_, i) => ({
        ...{ property: 'air/temperature', timeMs: i, value: value(i), quality: 'ok' as const },
      })),
    );
  const none = () => false;
  const upTo = (from: number, through: number) =>
    Array.from({ length: through - from + 1 }, (_, i) => from + i);

  beforeEach(() => {
    folder = mkdtempSync(join(root, 'agent-'));
    const limits = { unacknowledgedMax: 1000, acknowledgedKept: 0 };
    outbox = openOutbox({ file: join(folder, 'outbox.sqlite'), nowMs: 0, ...limits });
    store = openSessionStore(join(folder, 'sparkplug.sqlite'));
    clock = createManualClock();
    shown = [];
    notShown = 0;
  });
  afterEach(() => {
    outbox[Symbol.dispose]();
    store[Symbol.dispose]();
  });

  it('is shown oldest first at the limited rate, up to the births', () => {
    using replay = open(100);
    measure(145);
    replay.resume((sequence) => sequence === 145);
    measure(10);
    clock.advance(1000);
    assert.deepEqual(shown, upTo(1, 100));
    clock.advance(10_000);
    assert.deepEqual(shown, upTo(1, 144));
    assert.equal(notShown, 0);
    assert.equal(store.unshownAfter, undefined);
  });

  it('is not what was shown as it came', () => {
    using replay = open();
    replay.resume(none);
    clock.advance(200);
    measure(20);
    replay.pause();
    replay.missed(20);
    measure(5);
    replay.missed(25);
    replay.resume(none);
    clock.advance(1000);
    assert.deepEqual(shown, upTo(21, 25));
  });

  it('goes on after a session that ended in between, and after a restart', () => {
    {
      using replay = open();
      measure(100);
      replay.resume(none);
      clock.advance(300);
      replay.pause();
      clock.advance(5000);
      assert.deepEqual(shown, upTo(1, 30));
      replay.resume(none);
      clock.advance(100);
    }
    using replay = open();
    replay.resume(none);
    clock.advance(10_000);
    assert.deepEqual(shown, upTo(1, 100));
  });

  it('ends where it did when births are asked for in between', () => {
    using replay = open();
    measure(30);
    replay.resume(none);
    clock.advance(100);
    measure(5);
    replay.pause();
    replay.resume(none);
    clock.advance(1000);
    assert.deepEqual(shown, upTo(1, 30));
  });

  it('is left out where it says nothing new', () => {
    using replay = open();
    measure(20, (i) => Math.floor(i / 10));
    replay.resume(none);
    clock.advance(1000);
    assert.deepEqual(shown, [1, 11]);
  });

  it('is counted where the outbox has it no longer', () => {
    using replay = open(1000);
    measure(1100);
    replay.resume(none);
    clock.advance(10_000);
    assert.equal(notShown, 100);
    assert.deepEqual(shown, upTo(101, 1100));
    replay.missed(1100);
    measure(10);
    outbox.acknowledge(1110);
    measure(1);
    replay.resume(none);
    clock.advance(1000);
    assert.equal(notShown, 110);
    assert.equal(shown.at(-1), 1111);
  });

  it('is numbered anew with its outbox', () => {
    using replay = open();
    measure(30);
    replay.resume(none);
    clock.advance(100);
    replay.renumbered();
    clock.advance(1000);
    assert.deepEqual(shown, [...upTo(1, 10), ...upTo(1, 30)]);
    replay.renumbered();
    clock.advance(1000);
    assert.equal(shown.length, 40);
  });

  it('is given up by nothing but its own end: not by a disk that is full', () => {
    const full = new Proxy(store, {
      get(target, key) {
        if (key !== 'saveUnshownAfter') return Reflect.get(target, key, target);
        return () => {
          throw new Error('the disk is full');
        };
      },
    });
    const show = (samples: readonly Sample[]) => {
      shown.push(...samples.map(({ sequence }) => sequence));
      return samples.length;
    };
    const options = { outbox, store: full, perSecond: 1000, clock, log, show };
    using replay = new HistoryReplay({ ...options, onNotShown: () => undefined });
    measure(5);
    replay.resume(none);
    clock.advance(1000);
    assert.deepEqual(shown, upTo(1, 5));
    assert.equal(store.unshownAfter, 0);
  });
});
