import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { digestOfPlain } from '../../identity/digest.ts';
import { bodySchemaOf } from './contract-table.ts';

const digest = digestOfPlain('x');
const contribution = { device: 'mote-1', update: digest, sampleCount: 1 };
const grant = {
  ...{ grant: 'g', subject: 'mote-1', filter: 'a/+/#', actions: ['publish', 'subscribe'] },
  ...{ notBeforeMs: 0, notAfterMs: 1 },
};
const version = {
  ...{ task: digest, round: 1, digest, parents: [digest], contributions: [contribution] },
  ...{ aggregator: digest, rule: 'fedavg', metrics: { loss: '0.5' } },
};
const update = { ...contribution, task: digest, round: 1, base: digest, loss: '1e-7' };
const metrics = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`m-${i}`, '1']));
const message = (sizeBytes: number) => new Uint8Array(sizeBytes);
const evidence = (sizeBytes: number) => ({
  kind: 'amnesia',
  messages: [message(1), message(sizeBytes)],
});

const accepts = (type: string, body: object) => bodySchemaOf(type)!.safeParse(body).success;

describe('bodies', () => {
  for (const [name, type, body] of [
    ['a grant of two actions', 'grant.add', grant],
    ['64 metrics', 'model.version', { ...version, metrics: metrics(64) }],
    ['an update', 'model.update', update],
    ['a message of 8192 bytes', 'evidence', evidence(8192)],
    ['a filter of 16 levels', 'grant.add', { ...grant, filter: 'a/'.repeat(15) }],
  ] as const) {
    it(`take ${name}`, () => {
      assert.ok(accepts(type, body));
    });
  }

  for (const [name, type, body] of [
    ['an action twice', 'grant.add', { ...grant, actions: ['publish', 'publish'] }],
    ['actions in another order', 'grant.add', { ...grant, actions: ['subscribe', 'publish'] }],
    ['no action', 'grant.add', { ...grant, actions: [] }],
    ['no filter', 'grant.add', { ...grant, filter: '' }],
    ['a wildcard within a level', 'grant.add', { ...grant, filter: 'a/b+' }],
    ['a wildcard before the end', 'grant.add', { ...grant, filter: '#/a' }],
    ['a zero byte in a filter', 'grant.add', { ...grant, filter: 'a\0' }],
    ['a filter of 17 levels', 'grant.add', { ...grant, filter: 'a/'.repeat(16) }],
    ['65 metrics', 'model.version', { ...version, metrics: metrics(65) }],
    ['a float among the metrics', 'model.version', { ...version, metrics: { loss: 0.5 } }],
    ['a metric that is not finite', 'model.version', { ...version, metrics: { loss: 'NaN' } }],
    [
      '201 contributions',
      'model.version',
      { ...version, contributions: new Array(201).fill(contribution) },
    ],
    ['a fraction of a sample', 'model.update', { ...update, sampleCount: 1.5 }],
    ['no sample', 'model.update', { ...update, sampleCount: 0 }],
    ['a device name with a slash', 'model.update', { ...update, device: 'a/b' }],
    ['a digest in upper case', 'model.update', { ...update, base: digest.toUpperCase() }],
    ['a message of 8193 bytes', 'evidence', evidence(8193)],
    ['a suspension without a reason', 'device.suspend', { device: 'mote-1', reason: '' }],
  ] as const) {
    it(`refuse ${name}`, () => {
      assert.ok(!accepts(type, body));
    });
  }

  it('carry any finite number as text', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        assert.ok(accepts('model.update', { ...update, loss: String(value) }));
      }),
    );
  });
});
