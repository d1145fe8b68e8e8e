import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Sample } from './sample.ts';
import { admitSamples, emptyStream } from './sample-stream.ts';

function run(first: number, count: number): Sample[] {
  return Array.from({ length: count }, (_, i) => ({
    sequence: first + i,
    property: 'a/b',
    timeMs: i,
    value: i,
    quality: 'ok',
  }));
}

describe('sample stream', () => {
  it('takes every sample once, in order, however messages are lost, repeated and reordered', () => {
    const message = fc.record({ first: fc.integer({ min: 1, max: 60 }), count: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 60 }), (messages) => {
        let stream = emptyStream;
        const stored: number[] = [];
        for (const { first, count } of messages) {
          const admitted = admitSamples(stream, { available: 1, samples: run(first, count) });
          stream = admitted.stream;
          stored.push(...admitted.fresh.map(({ sequence }) => sequence));
        }
        assert.deepEqual(
          stored,
          Array.from({ length: stored.length }, (_, i) => i + 1),
        );
        assert.deepEqual(stream, { committed: stored.length, absent: 0 });
      }),
    );
  });

  it('takes nothing across a gap', () => {
    const { stream, fresh } = admitSamples(emptyStream, { available: 1, samples: run(2, 3) });
    assert.deepEqual([stream.committed, fresh.length], [0, 0]);
  });

  it('counts what the device no longer has, and goes on behind it', () => {
    const before = { committed: 3, absent: 1 };
    const { stream, fresh } = admitSamples(before, { available: 7, samples: run(7, 2) });
    assert.deepEqual(stream, { committed: 8, absent: 4 });
    assert.equal(fresh.length, 2);
  });
});
