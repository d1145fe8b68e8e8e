import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Sample } from './sample.ts';
import { admitSamples, emptyStream, RUNS_KEPT, sharedThrough } from './sample-stream.ts';

function run(first: number, count: number): Sample[] {
  return sequences(Array.from({ length: count }, (_, i) => first + i));
}

function sequences(list: readonly number[]): Sample[] {
  return list.map((sequence) => ({
    ...{ sequence, property: 'a/b', timeMs: sequence, value: sequence, quality: 'ok' },
  }));
}

const [r1, r2, r3] = [
  { id: 'r1', first: 1 },
  { id: 'r2', first: 101 },
  { id: 'r3', first: 121 },
] as const;

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
        assert.deepEqual(stream, { committed: stored.length, absent: 0, runs: [] });
      }),
    );
  });

  it('takes nothing across a gap', () => {
    const { stream, fresh } = admitSamples(emptyStream, { available: 1, samples: run(2, 3) });
    assert.deepEqual([stream.committed, fresh.length], [0, 0]);
  });

  it('counts what the device no longer has, and goes on behind it', () => {
    const before = { committed: 3, absent: 1, runs: [] };
    const { stream, fresh } = admitSamples(before, { available: 7, samples: run(7, 2) });
    assert.deepEqual(stream, { committed: 8, absent: 4, runs: [] });
    assert.equal(fresh.length, 2);
  });

  it('counts what was thinned out between samples, and before the first', () => {
    const before = { committed: 3, absent: 0, runs: [] };
    const offered = { available: 1, after: 3, samples: sequences([6, 8, 9]) };
    const { stream, fresh } = admitSamples(before, offered);
    assert.deepEqual(stream, { committed: 9, absent: 3, runs: [] });
    assert.equal(fresh.length, 3);
    assert.deepEqual(admitSamples(stream, offered).fresh, []);
    assert.equal(admitSamples(before, { ...offered, after: 4 }).fresh.length, 0);
  });

  it('takes nothing of a copy that gave the same sequences to other samples', () => {
    let stream = emptyStream;
    const offer = (offered: Omit<Parameters<typeof admitSamples>[1], 'available'>) => {
      const admitted = admitSamples(stream, { available: 1, ...offered });
      stream = admitted.stream;
      return [admitted.fresh.length, admitted.foreign];
    };
    assert.deepEqual(offer({ run: r1, samples: run(1, 120) }), [120, false]);
    assert.deepEqual(offer({ run: r3, samples: run(121, 30) }), [30, false]);
    assert.deepEqual(offer({ run: r2, samples: run(101, 80) }), [0, true]);
    assert.deepEqual(offer({ run: r1, samples: run(100, 80) }), [0, true]);
    assert.deepEqual(offer({ run: r3, samples: run(140, 20) }), [9, false]);
    assert.deepEqual(stream, { committed: 159, absent: 0, runs: [r1, r3] });
  });

  it('remembers a bounded number of runs', () => {
    let stream = emptyStream;
    for (let first = 1; first <= 50; first++) {
      const offered = { available: 1, run: { id: `${first}`, first }, samples: run(first, 1) };
      ({ stream } = admitSamples(stream, offered));
    }
    assert.equal(stream.committed, 50);
    assert.equal(stream.runs.length, RUNS_KEPT);
    assert.equal(stream.runs.at(-1)?.first, 50);
  });
});

describe('an outbox and what an edge node has of it', () => {
  const ours = { acknowledged: 80, produced: 400, runs: [r1, r2] };

  for (const [name, theirs, through] of [
    ['go on together', { committed: 150, runs: [r1, r2] }, undefined],
    ['know nothing new', { committed: 80, runs: [r1, r3] }, undefined],
    ['went apart where the copy was brought back', { committed: 110, runs: [r1] }, 100],
    ['went apart before the other was started again', { committed: 150, runs: [r1, r3] }, 100],
    ['went apart too long ago to say where', { committed: 150, runs: [r3] }, 80],
    ['cannot tell, from an older edge node', { committed: 150, runs: [] }, undefined],
    ['differ by the count alone', { committed: 401, runs: [] }, 400],
    ['differ by the count, in the newest run', { committed: 401, runs: [r1, r2] }, 400],
  ] as const) {
    it(name, () => assert.equal(sharedThrough(ours, theirs), through));
  }
});
