import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { datatypeCode } from '../datatype.ts';
import { anyPayload } from '../payload.fixture.ts';
import { encodePayload } from '../payload.ts';
import { type DraftMessage, encodeDraft } from './draft.fixture.ts';
import { viewPayload } from './payload-view.ts';

describe('the view of a payload', () => {
  it('has what the codec wrote', () => {
    fc.assert(
      fc.property(anyPayload, (payload) => {
        const view = viewPayload(encodePayload(payload));
        assert.ok(view !== undefined);
        assert.equal(view.seq, payload.seq === undefined ? undefined : BigInt(payload.seq));
        assert.deepEqual(
          view.metrics.map(({ name, alias, datatype }) => ({ name, alias, datatype })),
          payload.metrics.map(({ name, alias, datatype }) => ({
            name,
            alias,
            datatype: datatype && BigInt(datatypeCode(datatype)),
          })),
        );
        const kinds = payload.metrics.map(({ value }) =>
          value?.kind.replace('data-set', 'dataset'),
        );
        const seen = view.metrics.map(({ value }) => value?.kind);
        assert.deepEqual(seen, kinds);
      }),
    );
  });

  it('is of any bytes, or nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        viewPayload(bytes);
      }),
      { numRuns: 2000 },
    );
    const whole = encodeDraft({ timestamp: 1, metrics: [{ name: 'heat' }], seq: 3 });
    assert.equal(viewPayload(whole.subarray(0, -4)), undefined);
  });

  it('tells what is not there from what is of another type', () => {
    const view = viewPayload(encodeDraft({ metrics: [{ name: 7, datatype: 'ten' }], seq: '1' }));
    assert.equal(view?.seq, null);
    assert.equal(view?.timestamp, undefined);
    assert.equal(view?.metrics[0]?.name, null);
    assert.equal(view?.metrics[0]?.datatype, null);
    const [metric] = viewPayload(
      encodeDraft({ metrics: [{ name: Uint8Array.of(0xff) }] }),
    )!.metrics;
    assert.equal(metric?.name, null, 'not UTF-8');
  });

  it('ends where nesting goes too deep', () => {
    const nested = (depth: number): DraftMessage =>
      depth === 0 ? {} : { name: 't', template: { metrics: [nested(depth - 1)] } };
    assert.ok(viewPayload(encodeDraft({ metrics: [nested(10)] })) !== undefined);
    assert.equal(viewPayload(encodeDraft({ metrics: [nested(40)] })), undefined);
  });
});
