import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Reading } from './edge-metrics.ts';
import { isOnline } from './edge-session.ts';
import { EdgeDriver, keeps, type SeenMessage, START_MS, verbs } from './session.fixture.ts';

/** Born, with `x` and `y` of its own and `t` of the device `a`. */
function born(): EdgeDriver {
  const driver = new EdgeDriver();
  driver.define([
    { name: 'x', datatype: 'Double' },
    { name: 'y', datatype: 'Float', isTransient: true },
  ]);
  driver.defineDevice('a', [{ name: 't', datatype: 'Double' }]);
  driver.bear();
  return driver;
}

function report(driver: EdgeDriver, readings: Reading[], device?: string): SeenMessage[] {
  return driver.sent({ kind: 'report', device, readings });
}

describe('data', () => {
  it(
    keeps(
      `tck-id-topics-ndata-topic tck-id-topics-ddata-topic tck-id-topics-ndata-mqtt
     tck-id-topics-ddata-mqtt tck-id-payloads-ndata-qos tck-id-payloads-ndata-retain
     tck-id-payloads-ddata-qos tck-id-payloads-ddata-retain`,
      'go out under their topics with QoS 0, not retained',
    ),
    () => {
      const driver = born();
      const messages = [
        ...report(driver, [driver.reading('x', 1)]),
        ...report(driver, [driver.reading('t', 1)], 'a'),
      ];
      assert.deepEqual(
        messages.map(({ raw: { topic, qos, retain } }) => [topic, qos, retain]),
        [
          ['spBv1.0/g/NDATA/n', 0, false],
          ['spBv1.0/g/DDATA/n/a', 0, false],
        ],
      );
    },
  );

  it(
    keeps(
      `tck-id-topics-ndata-seq-num tck-id-topics-ddata-seq-num tck-id-payloads-ndata-seq
     tck-id-payloads-ndata-seq-inc tck-id-payloads-ddata-seq tck-id-payloads-ddata-seq-inc
     tck-id-topics-ddeath-seq-num tck-id-payloads-ddeath-seq tck-id-payloads-ddeath-seq-inc
     tck-id-payloads-ddeath-seq-number tck-id-payloads-sequence-num-always-included
     tck-id-payloads-sequence-num-incrementing`,
      'count on from the births, deaths and births of devices among them, 0 after 255',
    ),
    () => {
      const driver = born();
      const seqs: (number | undefined)[] = [];
      for (let i = 0; i < 200; i++) {
        seqs.push(...report(driver, [driver.reading('x', i)]).map(({ payload }) => payload.seq));
        seqs.push(...report(driver, [driver.reading('t', i)], 'a').map((m) => m.payload.seq));
        const down = driver.sent({ kind: 'device-down', device: 'a' });
        const up = driver.defineDevice('a', [{ name: 't', datatype: 'Double' }]);
        assert.deepEqual(verbs([...down, ...up]), ['DDEATH/a', 'DBIRTH/a']);
        seqs.push(...[...down, ...up].map(({ payload }) => payload.seq));
      }
      assert.deepEqual(
        seqs,
        Array.from({ length: 800 }, (_, i) => (i + 2) % 256),
      );
    },
  );

  it(
    keeps(
      `tck-id-topics-ndata-timestamp tck-id-topics-ddata-timestamp tck-id-payloads-ndata-timestamp
     tck-id-payloads-ddata-timestamp tck-id-payloads-name-birth-data-requirement`,
      'state when they were sent, and when each value was taken',
    ),
    () => {
      const driver = born();
      const reading = driver.reading('x', 1);
      driver.clock.advance(70);
      const [message] = report(driver, [reading]);
      assert.equal(message?.payload.timestampMs, START_MS + 70);
      assert.equal(message?.payload.metrics[0]?.timestampMs, START_MS);
    },
  );

  it(
    keeps(
      'tck-id-payloads-alias-data-cmd-requirement tck-id-payloads-metric-datatype-not-req',
      'name their metrics by alias, without name and data type',
    ),
    () => {
      const driver = born();
      const [message] = report(driver, [driver.reading('y', 0.1)]);
      assert.deepEqual(message?.payload.metrics, [
        {
          alias: 2n,
          timestampMs: START_MS,
          isTransient: true,
          properties: [{ key: 'Quality', datatype: 'Int32', value: { kind: 'int', value: 192 } }],
          value: { kind: 'float', value: Math.fround(0.1) },
        },
      ]);
    },
  );

  it(
    keeps(
      `tck-id-topics-ndata-payload tck-id-topics-ddata-payload tck-id-principles-rbe-recommended
     tck-id-operational-behavior-data-publish-nbirth-change
     tck-id-operational-behavior-data-publish-dbirth-change`,
      'hold what has changed, and only that',
    ),
    () => {
      const driver = born();
      const values = (messages: SeenMessage[]) =>
        messages.flatMap(({ payload }) => payload.metrics.map(({ value }) => value));
      const at = (value: number | null, quality: Reading['quality'] = 'good') =>
        values(report(driver, [driver.reading('x', value, { quality })])).length;
      assert.deepEqual(
        [at(1), at(1), at(Number.NaN), at(Number.NaN), at(0), at(-0), at(null), at(null)],
        [1, 0, 1, 0, 1, 1, 1, 0],
      );
      assert.deepEqual([at(null, 'bad'), at(null, 'bad'), at(null, 'good')], [1, 0, 1]);
    },
  );

  it(
    keeps(
      `tck-id-operational-behavior-data-publish-nbirth-order
     tck-id-operational-behavior-data-publish-dbirth-order`,
      'are in the order they were taken, one value of a metric and time in a message',
    ),
    () => {
      const driver = born();
      const at = (name: string, value: number, ms: number) =>
        driver.reading(name, value, { timestampMs: START_MS + ms });
      const readings = [at('x', 1, 30), at('y', 2, 10), at('x', 3, 20), at('x', 4, 30)];
      const seen = report(driver, readings).map(({ payload }) =>
        payload.metrics.map(({ value, timestampMs }) => [
          (value as { value: number }).value,
          timestampMs! - START_MS,
        ]),
      );
      assert.deepEqual(seen, [
        [
          [2, 10],
          [3, 20],
          [1, 30],
        ],
        [[4, 30]],
      ]);
      assert.equal(driver.session.node.get('x')?.current.value, 4);
      report(driver, [at('x', 5, 50), at('x', 6, 40)]);
      assert.equal(driver.session.node.get('x')?.current.value, 5);
    },
  );

  it(
    keeps(
      `tck-id-payloads-propertyset-quality-value-type
     tck-id-payloads-propertyset-quality-value-value`,
      'state a quality that is not good, and that it is good again',
    ),
    () => {
      const driver = born();
      const quality = (value: number, name: Reading['quality']) => {
        const [message] = report(driver, [driver.reading('x', value, { quality: name })]);
        return message?.payload.metrics[0]?.properties;
      };
      quality(0, 'good');
      const stated = (value: number) => [
        { key: 'Quality', datatype: 'Int32', value: { kind: 'int', value } },
      ];
      assert.equal(quality(1, 'good'), undefined);
      assert.deepEqual(quality(2, 'bad'), stated(0));
      assert.deepEqual(quality(3, 'stale'), stated(500));
      assert.deepEqual(quality(4, 'good'), stated(192));
      assert.equal(quality(5, 'good'), undefined);
    },
  );

  it('from before are flagged, and are never the current value', () => {
    const driver = born();
    report(driver, [driver.reading('x', 5)]);
    const past = { timestampMs: START_MS - 60_000, isHistorical: true };
    const [message] = report(driver, [driver.reading('x', 5, past), driver.reading('x', 6, past)]);
    assert.deepEqual(
      message?.payload.metrics.map(({ isHistorical }) => isHistorical),
      [true],
    );
    assert.equal(driver.session.node.get('x')?.current.value, 5);
    assert.equal(driver.session.seq, 5);
  });

  it('are refused where no birth announced them or they are not of their type', () => {
    const driver = born();
    const codes = (readings: Reading[], device?: string) =>
      driver
        .do({ kind: 'report', device, readings })
        .map((effect) => (effect.kind === 'refused' ? effect.failure.code : effect.kind));
    const readings = [driver.reading('z', 1), driver.reading('x', 'one'), driver.reading('x', 1)];
    assert.deepEqual(codes(readings), ['metric-unknown', 'value-mismatch', 'publish']);
    assert.deepEqual(codes([driver.reading('t', 1)], 'b'), ['device-unknown']);
    driver.do({ kind: 'device-down', device: 'a' });
    assert.deepEqual(codes([driver.reading('t', 1)], 'a'), ['device-unknown']);
  });

  it(
    keeps(
      'tck-id-payloads-ndata-order tck-id-payloads-ddata-order',
      'wait for the births; until then they are what the births will say',
    ),
    () => {
      const driver = new EdgeDriver();
      driver.define([{ name: 'x', datatype: 'Double' }]);
      for (const input of ['connect', 'connected', 'subscribed'] as const) {
        assert.equal(isOnline(driver.session), false);
        assert.deepEqual(report(driver, [driver.reading('x', 1)]), []);
        driver.do({ kind: input });
      }
      assert.equal(isOnline(driver.session), true);
      assert.deepEqual(report(driver, [driver.reading('x', 1)]), []);
      assert.deepEqual(verbs(report(driver, [driver.reading('x', 2)])), ['NDATA']);
    },
  );
});

describe('a device that is gone', () => {
  it(
    keeps(
      `tck-id-operational-behavior-device-ddeath tck-id-topics-ddeath-topic
      tck-id-topics-ddeath-mqtt
     tck-id-payloads-ddeath-timestamp`,
      'has its DDEATH published, with the time',
    ),
    () => {
      const driver = born();
      driver.clock.advance(9);
      const [death] = driver.sent({ kind: 'device-down', device: 'a' });
      const { topic, qos, retain } = death!.raw;
      assert.deepEqual([topic, qos, retain], ['spBv1.0/g/DDEATH/n/a', 0, false]);
      assert.equal(death?.payload.timestampMs, START_MS + 9);
      assert.deepEqual(driver.sent({ kind: 'device-down', device: 'a' }), []);
      driver.do({ kind: 'link-down' });
      assert.deepEqual(verbs(driver.bear()), ['NBIRTH']);
    },
  );
});
