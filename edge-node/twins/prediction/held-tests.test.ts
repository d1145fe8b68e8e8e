import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Sample } from '#shared/twin/sample.ts';
import { TwinStore } from '../twin-store.ts';
import { propertyAnswer } from './property-answer.ts';

const twins = new TwinStore(':memory:', { group: 'lab', nowMs: 0 });
const epoch = '0123456789abcdef';
const names = Array.from({ length: 40 }, (_, i) => `env/p${i}`);
let sequence = 0;

/** A ramp of every property, one unit a second. */
function measure(fromSecond: number, count: number): void {
  const samples: Sample[] = [];
  for (let second = fromSecond; second < fromSecond + count; second++) {
    for (const property of names) {
      sequence += 1;
      samples.push({ sequence, property, timeMs: 1000 * second, value: second, quality: 'ok' });
    }
  }
  const message = { epoch, available: samples[0]!.sequence, samples };
  twins.commit([{ device: 'mote-1', message }], 0);
}

function ask(property: string, nowMs: number) {
  return propertyAnswer(twins, { device: 'mote-1', property, nowMs })!;
}

before(() => measure(0, 128));
after(() => twins[Symbol.dispose]());

describe('the expected error of a property that is sent whole', () => {
  it('is what it was after as long a silence before', () => {
    const newestMs = 127_000;
    assert.equal(ask('env/p0', newestMs).expectedError, 0);
    const soon = ask('env/p0', newestMs + 16_000);
    assert.deepEqual([soon.value, soon.errorBasis], [127, 'back-test']);
    assert.ok(Math.abs(soon.expectedError! - 16) <= 1, `${soon.expectedError}`);
    const later = ask('env/p0', newestMs + 127_000);
    assert.equal(later.errorBasis, 'beyond');
    assert.ok(Math.abs(later.expectedError! - 127) <= 5, `${later.expectedError}`);
  });

  it('holds nothing up where everything is asked for at once', () => {
    const atOnce = names.map((property) => ask(property, 900_000).errorBasis);
    assert.equal(atOnce.filter((basis) => basis !== 'untested').length, 17, '16, and one before');
    for (let nowMs = 900_100; nowMs < 900_500; nowMs += 100) {
      for (const property of names) ask(property, nowMs);
    }
    assert.ok(names.every((property) => ask(property, 900_500).errorBasis === 'beyond'));
  });

  it('is tested anew once there is enough that is new', () => {
    const before = twins.tracks.held.errorsOf(of('env/p0'), 127_000, 1e6);
    assert.equal(twins.tracks.held.errorsOf(of('env/p0'), 150_000, 1e6), before);
    measure(128, 40);
    assert.notEqual(twins.tracks.held.errorsOf(of('env/p0'), 167_000, 1e6), before);
    assert.deepEqual(twins.tracks.held.errorsOf(of('env/none'), 0, 2e6), []);
  });
});

function of(property: string) {
  return { device: 'mote-1', property };
}
