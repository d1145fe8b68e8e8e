import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createGaussianNoise } from './gaussian-noise.ts';

const seed = Uint8Array.from({ length: 32 }, (_, i) => i);

function values(count: number, { step = 0, deviation = 1, from = seed } = {}): Float32Array {
  const into = new Float32Array(count);
  createGaussianNoise(from).fill([into], step, deviation);
  return into;
}

describe('gaussian noise', () => {
  it('is normally distributed, with the deviation asked for', () => {
    const count = 200_000;
    const drawn = values(count, { deviation: 2.5 }).map((value) => value / 2.5);
    const share = (limit: number) => drawn.filter((v) => Math.abs(v) < limit).length / count;
    const moment = (power: number) => drawn.reduce((sum, v) => sum + v ** power, 0) / count;
    // Each bound is five standard errors or more.
    for (const [power, expected, error] of [
      [1, 0, 0.012],
      [2, 1, 0.016],
      [3, 0, 0.045],
      [4, 3, 0.11],
    ] as const) {
      assert.ok(Math.abs(moment(power) - expected) < error, `moment ${power}: ${moment(power)}`);
    }
    for (const [limit, expected] of [
      [0.5, 0.3829249],
      [1, 0.6826895],
      [2, 0.9544997],
      [3, 0.9973002],
    ] as const) {
      assert.ok(Math.abs(share(limit) - expected) < 0.006, `within ${limit}: ${share(limit)}`);
    }
    const neighbours = drawn.slice(1).reduce((sum, v, i) => sum + v * drawn[i]!, 0) / count;
    assert.ok(Math.abs(neighbours) < 0.012, `correlation ${neighbours}`);
  });

  it('is the same for the same seed and step, and for no other', () => {
    assert.deepEqual(values(5000, { step: 3 }), values(5000, { step: 3 }));
    assert.deepEqual(values(7, { step: 3 }), values(5000, { step: 3 }).slice(0, 7));
    assert.notDeepEqual(values(7, { step: 3 }), values(7, { step: 4 }));
    assert.notDeepEqual(values(7), values(7, { from: seed.with(31, 0) }));
    const parts = [new Float32Array(4), new Float32Array(6)];
    createGaussianNoise(seed).fill(parts, 3, 1);
    assert.deepEqual(
      parts.flatMap((part) => [...part]),
      [...values(10, { step: 3 })],
    );
  });

  it('is nothing where its deviation is', () => {
    assert.ok(values(9, { deviation: 0 }).every((value) => value === 0));
  });
});
