import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeCanonical, type Plain } from '../codec/canonical.ts';
import { qualities } from '../twin/sample.ts';
import { committedCodec, plainTelemetryCodec } from './telemetry.ts';

const good = {
  v: 1,
  epoch: '0123456789abcdef',
  available: 3,
  first: 5,
  properties: ['environment/temperature'],
  samples: [[0, 1000, 27.5, 0]],
} as const;

const sample = [0, 1000, 27.5, 0] as const;
const skip = [[1, 1]] as const;
const far = [[1, Number.MAX_SAFE_INTEGER - 500]] as const;

const reporting = { ...good, policies: [['hold', 0.1, 600_000]], reports: [[0, 0, 1, 1]] };

function refusal(document: Plain): string {
  const decoded = plainTelemetryCodec.decode(encodeCanonical(document));
  return decoded.ok ? 'was accepted' : decoded.error.code;
}

describe('telemetry codec', () => {
  it('gives back every message', () => {
    const sample = fc.record({
      property: fc.constantFrom('environment/temperature', 'cpu/load', 'a/b'),
      timeMs: fc.nat(),
      value: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
      quality: fc.constantFrom(...qualities),
    });
    const report = fc.record(
      {
        predictor: fc.constantFrom('hold', 'linear', `learned:${'5c'.repeat(32)}`),
        depth: fc.nat(8),
        ordinal: fc.integer({ min: 1, max: 1e9 }),
        tolerance: fc.constantFrom(0, 0.1, 5e-324),
        heartbeatMs: fc.constantFrom(1, 600_000),
      },
      { noNullPrototype: true },
    );
    const marked = fc
      .tuple(sample, fc.option(report))
      .map(([each, mark]) => (mark === null ? each : { ...each, report: mark }));
    const message = fc.record({
      first: fc.integer({ min: 1, max: 1e9 }),
      samples: fc.array(marked, { minLength: 1, maxLength: 30 }),
      waiting: fc.nat(),
    });
    fc.assert(
      fc.property(message, ({ first, samples, waiting }) => {
        const sent = {
          epoch: good.epoch,
          available: first,
          waiting,
          samples: samples.map((each, index) => ({ ...each, sequence: first + index })),
        };
        const decoded = plainTelemetryCodec.decode(plainTelemetryCodec.encode(sent));
        assert.ok(decoded.ok);
        // CBOR writes -0 as 0.
        const positive = (value: number | null) => (value === 0 ? 0 : value);
        assert.deepEqual(decoded.value, {
          ...sent,
          samples: sent.samples.map((each) => ({ ...each, value: positive(each.value) })),
        });
      }),
    );
  });

  it('gives back gaps, the run, and what was dropped', () => {
    const samples = [7, 8, 11, 20].map((sequence) => ({
      ...{ sequence, property: 'a/b', timeMs: 1, value: 2, quality: 'ok' as const },
    }));
    const sent = {
      ...{ epoch: good.epoch, available: 2, after: 4, samples },
      run: { id: '01234567', first: 7 },
      dropped: [{ property: 'a/b', rule: 'thin' as const, count: 12 }],
    };
    const decoded = plainTelemetryCodec.decode(plainTelemetryCodec.encode(sent));
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.value, sent);
  });

  it('accepts the messages the refusals are made from', () => {
    assert.ok(plainTelemetryCodec.decode(encodeCanonical(good)).ok);
    assert.ok(plainTelemetryCodec.decode(encodeCanonical(reporting as unknown as Plain)).ok);
  });

  it('is without reports what it was before there were any', () => {
    const [sample] = good.samples;
    const samples = [
      { sequence: 5, property: good.properties[0], timeMs: sample[1], value: 27.5, quality: 'ok' },
    ] as const;
    const { epoch, available } = good;
    const bytes = plainTelemetryCodec.encode({ epoch, available, samples });
    assert.deepEqual(bytes, encodeCanonical(good as unknown as Plain));
  });

  for (const [name, document] of [
    ['another version', { ...good, v: 2 }],
    ['an unknown field', { ...good, extra: 1 }],
    ['a missing field', { ...good, epoch: null }],
    ['no samples', { ...good, samples: [] }],
    ['a property that is not listed', { ...good, samples: [[1, 0, 0, 0]] }],
    ['a property with a wildcard', { ...good, properties: ['a/#'] }],
    ['a quality that is not known', { ...good, samples: [[0, 0, 0, 99]] }],
    ['a time beyond all dates', { ...good, samples: [[0, 8.65e15, 0, 0]] }],
    ['a report of a sample it does not hold', { ...reporting, reports: [[1, 0, 1, 1]] }],
    ['a report by no policy', { ...reporting, reports: [[0, 1, 1, 1]] }],
    ['two reports of one sample', { ...reporting, reports: [...reporting.reports, [0, 0, 1, 2]] }],
    ['a report from too many points', { ...reporting, reports: [[0, 0, 9, 1]] }],
    ['a predictor without a name', { ...reporting, policies: [['', 0.1, 1]] }],
    ['a tolerance below 0', { ...reporting, policies: [['hold', -0.1, 1]] }],
    ['a silence without an end', { ...reporting, policies: [['hold', 0.1, Infinity]] }],
    ['text for a value', { ...good, samples: [[0, 0, 'x', 0]] }],
    ['a first sequence that is not available', { ...good, available: 6 }],
    ['too many samples', { ...good, samples: new Array(501).fill([0, 0, 0, 0]) }],
    ['a sequence beyond counting', { ...good, first: 2 ** 60 }],
    ['a first sequence the others cannot follow', { ...good, first: Number.MAX_SAFE_INTEGER }],
    ['a gap before its first sample that begins behind it', { ...good, after: 5 }],
    ['a run that begins behind its samples', { ...good, run: { id: '01234567', first: 6 } }],
    ['a run without a name', { ...good, run: { id: 'x', first: 1 } }],
    ['a gap before a sample there is not', { ...good, skips: [[1, 1]] }],
    ['the same gap twice', { ...good, samples: [sample, sample], skips: [...skip, ...skip] }],
    ['a gap beyond counting', { ...good, first: 500, samples: [sample, sample], skips: far }],
    ['a rule that is not known', { ...good, dropped: [['a/b', 'bored', 1]] }],
  ] as const) {
    it(`refuses ${name}`, () => assert.equal(refusal(document as Plain), 'message-invalid'));
  }

  it('does not repeat at length what it refuses', () => {
    const decoded = plainTelemetryCodec.decode(encodeCanonical({ ...good, ['x'.repeat(1e6)]: 1 }));
    assert.ok(!decoded.ok && decoded.error.message.length < 300);
  });

  it('refuses any bytes that are no message, without throwing', () => {
    const bytes = plainTelemetryCodec.encode({
      epoch: good.epoch,
      available: 1,
      samples: [{ sequence: 1, property: 'a/b', timeMs: 0, value: 1, quality: 'ok' }],
    });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(bytes.length), (noise, cut) => {
        plainTelemetryCodec.decode(noise);
        const damaged = Uint8Array.of(...bytes.subarray(0, cut), ...noise);
        plainTelemetryCodec.decode(damaged);
        committedCodec.decode(noise);
      }),
    );
  });
});
