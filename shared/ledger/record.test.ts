import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { digestOf } from '../identity/digest.ts';
import { modelVersion, taskDefinition } from './example-records.ts';
import { recordsSchema } from './record.ts';

const aggregator = digestOf(new Uint8Array());
const accepts = (record: unknown) => recordsSchema.safeParse([record]).success;
const version = (changes: object) => {
  const record = modelVersion(aggregator, 1);
  return { ...record, body: { ...record.body, ...changes } };
};

describe('ledger records', () => {
  it('carry any finite number as text', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        assert.ok(accepts(version({ metrics: { loss: String(value) } })));
      }),
    );
  });

  for (const [name, changes] of [
    ['a float among the metrics', { metrics: { loss: 0.5 } }],
    ['a metric that is not finite', { metrics: { loss: 'NaN' } }],
    ['a fraction of a sample', { contributions: [contribution({ sampleCount: 1.5 })] }],
    ['a contribution of no sample', { contributions: [contribution({ sampleCount: 0 })] }],
    ['a device name with a slash', { contributions: [contribution({ device: 'a/b' })] }],
    ['a digest in upper case', { digest: 'AB'.repeat(32) }],
    ['an unknown key', { weights: [] }],
  ] as const) {
    it(`refuse ${name}`, () => {
      assert.ok(!accepts(version(changes)));
    });
  }

  it('refuse an unknown type or version', () => {
    assert.ok(accepts(taskDefinition()));
    assert.ok(!accepts({ ...taskDefinition(), type: 'task.undefine' }));
    assert.ok(!accepts({ ...taskDefinition(), v: 2 }));
  });
});

function contribution(changes: object) {
  return { device: 'mote-1', update: aggregator, sampleCount: 1, ...changes };
}
