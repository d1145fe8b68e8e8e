import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isoTime } from './iso-time.ts';

const LAST_MS = 8.64e15;

describe('ISO time', () => {
  it('is what the platform writes, over all the time it can', () => {
    const days = ['2000-02-29', '1900-02-28', '2026-12-31', '0000-03-01', '-000001-12-31'];
    for (const day of days) {
      const timeMs = Date.parse(`${day}T23:59:59.999Z`);
      assert.equal(isoTime(timeMs), new Date(timeMs).toISOString());
      assert.equal(isoTime(timeMs + 1), new Date(timeMs + 1).toISOString());
    }
    fc.assert(
      fc.property(fc.integer({ min: -LAST_MS, max: LAST_MS }), (timeMs) => {
        assert.equal(isoTime(timeMs), new Date(timeMs).toISOString());
      }),
      { numRuns: 1000 },
    );
  });
});
