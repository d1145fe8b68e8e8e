import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as settle } from 'node:timers/promises';
import pino from 'pino';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { startSampler } from './sampler.ts';
import { type LiveSensor, observe, type Reading, type RecordedSensor } from './sensor.ts';

const temperature = { property: 'environment/temperature', unit: 'Cel', range: [0, 50] as const };

function liveSensor(read: () => Promise<number> | number, periodMs = 100) {
  const sensor = {
    kind: 'live' as const,
    name: 'thermometer',
    periodMs,
    properties: [temperature],
    closed: false,
    read: async () => [observe(temperature, await read())],
    close() {
      sensor.closed = true;
    },
  };
  return sensor satisfies LiveSensor;
}

function recording(
  length: number,
  periodMs: number,
  { from = 0, startMs = 5000 } = {},
): RecordedSensor {
  return {
    kind: 'recorded',
    name: 'recording',
    periodMs,
    properties: [temperature],
    length,
    from,
    reading: (index) =>
      index < length
        ? {
            timeMs: Math.round(startMs + index * periodMs),
            values: [observe(temperature, index % 50)],
          }
        : undefined,
  };
}

/** A log that keeps its lines. */
function keptLog() {
  const lines: { level: number; msg: string; problem?: string }[] = [];
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  return {
    log,
    told: () => lines.map(({ msg, problem }) => (problem ? `${msg}: ${problem}` : msg)),
  };
}

function start(sensors: (LiveSensor | RecordedSensor)[], options: { startMs?: number } = {}) {
  const clock = createManualClock(options.startMs ?? 5000);
  const kept = keptLog();
  const batches: Reading[][] = [];
  const sink = { refuses: false };
  const sampler = startSampler({
    sensors,
    clock,
    log: kept.log,
    sink(readings) {
      if (sink.refuses) throw new Error('disk full');
      batches.push([...readings]);
    },
  });
  /** Lets time go by in small steps, with room for reads to end in between. */
  const pass = async (durationMs: number, stepMs = 10) => {
    for (let gone = 0; gone < durationMs; gone += stepMs) {
      clock.advance(stepMs);
      await settle();
    }
  };
  return { sampler, clock, sink, batches, pass, told: kept.told };
}

const times = (batches: Reading[][]) => batches.flat().map(({ timeMs }) => timeMs);

describe('sampler: live sensors', () => {
  it('reads at fixed times that do not drift with the length of a read', async () => {
    let release: (value: number) => void = () => undefined;
    const sensor = liveSensor(() => new Promise((resolve) => (release = resolve)));
    const { clock, batches, sampler } = start([sensor]);
    clock.advance(0);
    for (let i = 0; i < 5; i++) {
      clock.advance(30);
      release(i);
      await settle();
      clock.advance(70);
    }
    assert.deepEqual(times(batches), [5000, 5100, 5200, 5300, 5400]);
    assert.equal(sampler.statistics()[0]?.skipped, 0);
  });

  it('skips the times a long read ran over, and counts them', async () => {
    let release: (value: number) => void = () => undefined;
    const sensor = liveSensor(() => new Promise((resolve) => (release = resolve)));
    const { clock, batches, sampler } = start([sensor]);
    clock.advance(0);
    clock.advance(250);
    release(1);
    await settle();
    clock.advance(50);
    release(2);
    await settle();
    assert.deepEqual(times(batches), [5000, 5300]);
    assert.equal(sampler.statistics()[0]?.skipped, 2);
  });

  it('records how late a read began', async () => {
    const clock = createManualClock();
    let heldBackMs = 0;
    const late = { ...clock, monotonicMs: () => clock.monotonicMs() + heldBackMs };
    const sensors = [liveSensor(() => 1)];
    const sampler = startSampler({ sensors, clock: late, log: silentLog, sink: () => undefined });
    heldBackMs = 7;
    clock.advance(0);
    assert.equal(sampler.statistics()[0]?.latenessMs.max, 7);
  });

  it('gives gaps while a sensor fails, and tells the log once per change', async () => {
    let failing = true;
    const sensor = liveSensor(() => {
      if (failing) throw new Error('no answer on the bus');
      return 20;
    });
    const { batches, pass, told } = start([sensor]);
    await pass(290);
    failing = false;
    await pass(200);
    assert.deepEqual(
      batches.flat().map(({ values: [value] }) => `${value?.value} ${value?.quality}`),
      ['null gap', 'null gap', 'null gap', '20 ok', '20 ok'],
    );
    assert.deepEqual(told(), [
      'sensor is not usable: no answer on the bus',
      'sensor is usable again',
    ]);
  });

  it('marks what is out of range', async () => {
    const { batches, pass } = start([liveSensor(() => 51)]);
    await pass(10);
    assert.deepEqual(batches[0]?.[0]?.values, [
      {
        property: 'environment/temperature',
        value: 51,
        quality: 'range',
        problem: '51 is outside 0 to 50',
      },
    ]);
  });

  it('goes on when the sink refuses, counts the loss and tells the log once', async () => {
    const { sampler, sink, batches, pass, told } = start([liveSensor(() => 1)]);
    sink.refuses = true;
    await pass(290);
    sink.refuses = false;
    await pass(200);
    const [statistics] = sampler.statistics();
    assert.deepEqual([statistics?.refused, statistics?.taken, batches.length], [3, 2, 2]);
    assert.deepEqual(told(), ['readings could not be stored', 'readings are stored again']);
  });

  it('stops when disposed of: waits for the read under way, closes the sensor', async () => {
    let release: (value: number) => void = () => undefined;
    let reads = 0;
    const sensor = liveSensor(() => {
      reads += 1;
      return new Promise((resolve) => (release = resolve));
    });
    const { sampler, clock, batches } = start([sensor]);
    clock.advance(0);
    const disposed = sampler[Symbol.asyncDispose]();
    await settle();
    assert.equal(sensor.closed, false);
    release(1);
    await disposed;
    assert.equal(sensor.closed, true);
    clock.advance(1000);
    assert.deepEqual([batches.length, reads], [1, 1]);
  });
});

describe('sampler: recordings', () => {
  it('hands over every reading once, in order, and finishes', async () => {
    const { sampler, batches, pass } = start([recording(200, 9.5)]);
    await pass(2100);
    await sampler.finished;
    assert.deepEqual(
      times(batches),
      Array.from({ length: 200 }, (_, index) => Math.round(5000 + index * 9.5)),
    );
    assert.ok(batches.length < 40, 'many readings in one commit');
    assert.deepEqual(sampler.statistics()[0]?.record, { length: 200, remaining: 0 });
  });

  it('never gives a reading before its time', async () => {
    const { clock, batches } = start([recording(50, 40)]);
    for (let i = 0; i < 300; i++) {
      clock.advance(10);
      assert.ok(times(batches).every((timeMs) => timeMs <= clock.nowMs()));
    }
    assert.equal(batches.flat().length, 50);
  });

  it('catches up with all that is overdue, in bounded batches', async () => {
    const { sampler, clock, batches } = start([recording(1200, 10, { from: 100 })], {
      startMs: 60_000,
    });
    clock.advance(1);
    assert.deepEqual(
      batches.map(({ length }) => length),
      [500, 500, 100],
    );
    assert.equal(times(batches)[0], 6000);
    await sampler.finished;
  });

  it('hands over again what the sink refused', async () => {
    const { sampler, sink, batches, pass, told } = start([recording(20, 10)]);
    sink.refuses = true;
    await pass(1500, 50);
    assert.equal(batches.length, 0);
    sink.refuses = false;
    await pass(1500, 50);
    await sampler.finished;
    assert.equal(new Set(times(batches)).size, 20);
    assert.equal(batches.flat().length, 20);
    assert.deepEqual(told(), ['readings could not be stored', 'readings are stored again']);
  });

  it('is finished at once where the outbox holds all of it', async () => {
    const { sampler, clock, batches } = start([recording(20, 10, { from: 20 })]);
    clock.advance(0);
    await sampler.finished;
    assert.equal(batches.length, 0);
  });

  it('keeps to its pace when the wall clock jumps', async () => {
    const clock = createManualClock(5000);
    let jumpMs = 0;
    const jumping = { ...clock, nowMs: () => clock.nowMs() + jumpMs };
    const taken: Reading[] = [];
    startSampler({
      sensors: [recording(100, 100)],
      clock: jumping,
      log: silentLog,
      sink: (readings) => taken.push(...readings),
    });
    clock.advance(1000);
    jumpMs = 3_600_000;
    clock.advance(1000);
    assert.equal(taken.length, 21);
  });

  it('plays a record on the real clock', async () => {
    const taken: Reading[] = [];
    const sampler = startSampler({
      sensors: [recording(300, 1, { startMs: systemClock.nowMs() - 100 })],
      clock: systemClock,
      log: silentLog,
      sink: (readings) => taken.push(...readings),
    });
    const awake = setInterval(() => undefined, 1000); // the clock's timers alone let a process end
    await sampler.finished;
    clearInterval(awake);
    await sampler[Symbol.asyncDispose]();
    assert.equal(taken.length, 300);
    assert.equal(sampler.statistics()[0]?.taken, 300);
  });
});
