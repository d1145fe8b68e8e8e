import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Sample } from './sample.ts';
import { newTwin, reduceTwin } from './twin.ts';

function sample(sequence: number, value: number, property = 'a/b'): Sample {
  return { sequence, property, timeMs: 10 * sequence, value, quality: 'ok' };
}

describe('twin', () => {
  it('shows the newest sample of each property', () => {
    const samples = [sample(1, 1), sample(2, 5, 'a/c'), sample(3, 2)];
    const twin = reduceTwin(newTwin('mote-1'), { kind: 'samples', samples, nowMs: 99 });
    assert.deepEqual(twin.reported, {
      'a/b': { value: 2, timeMs: 30, quality: 'ok' },
      'a/c': { value: 5, timeMs: 20, quality: 'ok' },
    });
    assert.deepEqual([twin.revision, twin.modifiedMs], [1, 99]);
  });

  it('leaves the twin before as it was', () => {
    const before = newTwin('mote-1');
    reduceTwin(before, { kind: 'samples', samples: [sample(1, 1)], nowMs: 0 });
    assert.deepEqual(before, newTwin('mote-1'));
  });

  it('keeps the units when the device goes, and takes new ones when it is back', () => {
    const units = { 'a/b': 'Cel' };
    let twin = reduceTwin(newTwin('x'), { kind: 'presence', online: true, units, nowMs: 0 });
    twin = reduceTwin(twin, { kind: 'presence', online: false, units: {}, nowMs: 1 });
    assert.deepEqual([twin.online, twin.units], [false, units]);
    twin = reduceTwin(twin, { kind: 'presence', online: true, units: { c: 'K' }, nowMs: 2 });
    assert.deepEqual(twin.units, { c: 'K' });
  });

  it('survives as JSON', () => {
    const twin = reduceTwin(newTwin('x'), { kind: 'samples', samples: [sample(1, 1)], nowMs: 0 });
    assert.deepEqual(JSON.parse(JSON.stringify(twin)), twin);
  });
});
