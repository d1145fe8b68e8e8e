import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Payload } from './metric.ts';
import { anyPayload } from './payload.fixture.ts';
import { decodePayload, encodePayload } from './payload.ts';
import { keeps } from './session.fixture.ts';
import { encodeProto, type MetricProto, toLong64 } from './tahu-proto.ts';
import { defaultPayloadLimits, type PayloadLimits } from './wire-bounds.ts';

function failureOf(bytes: Uint8Array, limits: Partial<PayloadLimits> = {}) {
  const decoded = decodePayload(bytes, { ...defaultPayloadLimits, ...limits });
  return decoded.ok ? undefined : decoded.error;
}

function ofMetric(metric: MetricProto): Uint8Array {
  return encodeProto({ metrics: [metric] });
}

function rulesOf(metric: MetricProto): readonly string[] | undefined {
  const failure = failureOf(ofMetric(metric));
  return failure?.code === 'payload-invalid' ? failure.rules : undefined;
}

/** A message of one field that is a message of one field ... */
function nested(tags: readonly number[]): Uint8Array {
  let bytes = new Uint8Array();
  for (const tag of tags.toReversed()) {
    const key = tag < 16 ? [tag * 8 + 2] : [((tag * 8 + 2) & 127) | 128, (tag * 8) >> 7];
    const length =
      bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
    bytes = Uint8Array.from([...key, ...length, ...bytes]);
  }
  return bytes;
}

const text = (length: number): Payload => ({ metrics: [], uuid: 'x'.repeat(length) });

describe('a payload that is none', () => {
  it('is refused, or taken for what it is, never thrown at', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        decodePayload(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  it('is refused where it is cut short within a field, or one byte is another', () => {
    const bytes = encodePayload({
      ...{ timestampMs: 1.7e12, seq: 3, uuid: 'abc' },
      metrics: [{ name: 'temperature', value: { kind: 'double', value: 20.5 } }],
    });
    const whole = [0, 7, bytes.length - 7, bytes.length - 5, bytes.length];
    for (let end = 1; end < bytes.length; end++) {
      const failure = failureOf(bytes.subarray(0, end));
      if (!whole.includes(end)) assert.equal(failure?.code, 'payload-malformed', `${end} bytes`);
    }
    fc.assert(
      fc.property(anyPayload, fc.nat(), fc.nat(255), (payload, at, byte) => {
        const changed = encodePayload(payload);
        if (changed.length > 0) changed[at % changed.length] = byte;
        decodePayload(changed);
      }),
    );
  });

  it('is refused where a field has the wrong wire type, comes twice, or is no UTF-8', () => {
    const cases = {
      'a text as a number': [0x20, 1],
      'a number as a text': [0x1a, 1, 65],
      'a group': [0x33, 0x34],
      'field 0': [0x00, 1],
      'a field number beyond the largest': [0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 1],
      'seq twice': [0x18, 1, 0x18, 2],
      'text that is no UTF-8': [0x22, 1, 0xff],
      'a number of eleven bytes': [0x18, ...Array.from({ length: 10 }, () => 0x80), 1],
      'a metric longer than the payload': [0x12, 5, 0x50, 1],
      'a double cut short': [0x12, 4, 0x69, 1, 2, 3],
      'a seq of 32 fixed bits': [0x1d, 5, 0x22, 1, 65],
      'properties longer than their metric': [0x12, 4, 0x4a, 4, 0x0a, 2, 65, 66],
      'a double longer than its metric': [0x12, 4, 0x69, 1, 2, 3, 4, 5, 6, 7, 8],
      'two values of one metric': [0x12, 4, 0x50, 1, 0x70, 1],
    };
    for (const [what, bytes] of Object.entries(cases)) {
      assert.equal(failureOf(Uint8Array.from(bytes))?.code, 'payload-malformed', what);
    }
    const unknown = Uint8Array.from([0x18, 1, 0xfa, 0x01, 2, 9, 9, 0xf9, 1, ...Array(8).fill(0)]);
    assert.deepEqual(decodePayload(unknown), { ok: true, value: { metrics: [], seq: 1 } });
  });

  it('is refused where it is more than the limits allow', () => {
    assert.equal(failureOf(encodePayload(text(99)), { bytesMax: 100 })?.code, 'payload-too-large');
    assert.equal(failureOf(encodePayload(text(98)), { bytesMax: 100 }), undefined);
    const limit = { stringBytesMax: 10 };
    assert.equal(failureOf(encodePayload(text(11)), limit)?.code, 'payload-limit');
    assert.equal(failureOf(encodePayload(text(10)), limit), undefined);
    const metrics = Array.from({ length: 10_000 }, (_, i) => ({ name: `m${i}` }));
    assert.equal(failureOf(encodePayload({ metrics }))?.code, 'payload-limit');
    assert.equal(failureOf(encodePayload({ metrics: metrics.slice(0, 5000) })), undefined);
    const rows = Array.from({ length: 30 }, () => [1, 2]);
    const value = { columns: ['a', 'b'], types: ['Int8', 'Int8'], rows } as const;
    const table = encodePayload({ metrics: [{ value: { kind: 'data-set', value } }] });
    assert.equal(failureOf(table, { itemsMax: 95 })?.code, 'payload-limit');
    assert.equal(failureOf(table, { itemsMax: 96 }), undefined);
  });

  it('is refused where it is nested too deep', () => {
    // Metrics with templates of metrics, and sets of properties in sets of properties.
    const templates = nested(Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? 2 : 18)));
    assert.equal(failureOf(templates)?.code, 'payload-limit');
    const sets = nested([2, 9, ...Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? 2 : 9))]);
    assert.equal(failureOf(sets)?.code, 'payload-limit');
  });

  it('is refused where a time or number is beyond what can be told exactly', () => {
    const beyond = encodeProto({ metrics: [], timestamp: toLong64(9n * 10n ** 15n) });
    assert.equal(failureOf(beyond)?.code, 'payload-invalid');
    const seq = encodeProto({ metrics: [], seq: toLong64(2n ** 60n) });
    assert.equal(failureOf(seq)?.code, 'payload-invalid');
  });
});

const columns = ['a', 'b'];

describe('a payload against the specification', () => {
  it(
    keeps(
      'tck-id-payloads-metric-datatype-value tck-id-payloads-metric-datatype-value-type',
      'is refused where a data type is none of the enumeration',
    ),
    () => {
      assert.deepEqual(rulesOf({ datatype: 35 }), ['tck-id-payloads-metric-datatype-value']);
      assert.equal(failureOf(ofMetric({ datatype: 34 })), undefined);
    },
  );

  it(
    keeps(
      `tck-id-operational-behavior-data-publish-nbirth-values
     tck-id-operational-behavior-data-publish-dbirth-values`,
      'is refused where a metric is null and has a value',
    ),
    () => {
      assert.equal(rulesOf({ isNull: true, intValue: 1 })?.length, 2);
      assert.equal(failureOf(ofMetric({ isNull: false, intValue: 1 })), undefined);
      const decoded = decodePayload(ofMetric({ isNull: true }));
      assert.deepEqual(decoded, { ok: true, value: { metrics: [{ value: null }] } });
    },
  );

  it(
    keeps(
      'tck-id-payloads-propertyset-keys-array-size tck-id-payloads-propertyset-values-array-size',
      'is refused where keys and values of properties differ in number',
    ),
    () => {
      assert.equal(rulesOf({ properties: { keys: ['a', 'b'], values: [{}] } })?.length, 2);
      assert.equal(rulesOf({ properties: { keys: [], values: [{}] } })?.length, 2);
    },
  );

  it(
    keeps(
      `tck-id-payloads-metric-propertyvalue-type-value
     tck-id-payloads-metric-propertyvalue-type-type`,
      'is refused where the data type of a property is not one of properties',
    ),
    () => {
      for (const type of [0, 15, 16, 19, 22, 99]) {
        assert.equal(rulesOf({ properties: { keys: ['a'], values: [{ type }] } })?.length, 1);
      }
      for (const type of [1, 14, 20, 21]) {
        const bytes = ofMetric({ properties: { keys: ['a'], values: [{ type }] } });
        assert.equal(failureOf(bytes), undefined);
      }
    },
  );

  it(
    keeps(
      'tck-id-payloads-dataset-column-size',
      'is refused where a data set says another number of columns',
    ),
    () => {
      for (const numOfColumns of [undefined, toLong64(1n), toLong64(2n ** 40n)]) {
        const datasetValue = { numOfColumns, columns, types: [1, 1], rows: [] };
        assert.notEqual(rulesOf({ datasetValue }), undefined);
      }
    },
  );

  it(
    keeps(
      `tck-id-payloads-dataset-column-num-headers tck-id-payloads-dataset-types-num
     tck-id-payloads-dataset-parameter-type-req tck-id-payloads-dataset-types-def`,
      'is refused where columns and types of a data set differ in number',
    ),
    () => {
      for (const types of [[], [1], [1, 1, 1]]) {
        const datasetValue = { numOfColumns: toLong64(2n), columns, types, rows: [] };
        assert.equal(rulesOf({ datasetValue })?.length, 3);
      }
    },
  );

  it(
    keeps(
      `tck-id-payloads-dataset-types-value tck-id-payloads-dataset-types-type
     tck-id-payloads-template-dataset-value`,
      'is refused where a type of a data set is not a basic one, or a cell not of it',
    ),
    () => {
      const table = { numOfColumns: toLong64(2n), columns };
      for (const type of [0, 15, 20, 35]) {
        const datasetValue = { ...table, types: [1, type], rows: [] };
        assert.equal(rulesOf({ datasetValue })?.length, 1);
      }
      const row = (...elements: MetricProto[]) => ({
        ...table,
        types: [1, 12],
        rows: [{ elements }],
      });
      const ofRow = (...cells: MetricProto[]) =>
        failureOf(ofMetric({ datasetValue: row(...cells) }));
      assert.equal(ofRow({ intValue: 1 }, { stringValue: 'x' }), undefined);
      assert.equal(ofRow({ intValue: 1 }, { intValue: 1 })?.code, 'value-mismatch');
      assert.equal(ofRow({ intValue: 1 })?.code, 'payload-invalid');
    },
  );

  it(
    keeps(
      `tck-id-payloads-template-is-definition tck-id-payloads-template-definition-ref
     tck-id-payloads-template-ref-definition tck-id-payloads-template-instance-ref
     tck-id-payloads-template-ref-instance tck-id-payloads-template-instance-is-definition
     tck-id-payloads-template-definition-is-definition
     tck-id-payloads-template-is-definition-definition
     tck-id-payloads-template-is-definition-instance`,
      'is refused where a template is neither a definition nor an instance of one',
    ),
    () => {
      const rest = { metrics: [], parameters: [] };
      assert.equal(rulesOf({ templateValue: rest })?.length, 1);
      assert.equal(rulesOf({ templateValue: { ...rest, isDefinition: false } })?.length, 2);
      const both = { ...rest, isDefinition: true, templateRef: 'x' };
      assert.equal(rulesOf({ templateValue: both })?.length, 2);
      const instance = { ...rest, isDefinition: false, templateRef: 'x' };
      assert.equal(failureOf(ofMetric({ templateValue: instance })), undefined);
      const definition = { ...rest, isDefinition: true };
      assert.equal(failureOf(ofMetric({ templateValue: definition })), undefined);
    },
  );

  it(
    keeps(
      `tck-id-payloads-template-parameter-name-required
      tck-id-payloads-template-parameter-type-value
     tck-id-payloads-template-parameter-value-type`,
      'is refused where a parameter of a template has no name, or none of the basic types',
    ),
    () => {
      const ofParameter = (parameter: { name?: string; type?: number }) =>
        rulesOf({ templateValue: { isDefinition: true, metrics: [], parameters: [parameter] } });
      assert.equal(ofParameter({ type: 1 })?.length, 1);
      assert.equal(ofParameter({ name: 'a', type: 19 })?.length, 1);
      assert.equal(ofParameter({ name: 'a', type: 14 }), undefined);
    },
  );
});
