import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MetricDefinition } from './edge-metrics.ts';
import type { Metric, Template } from './metric.ts';
import { EdgeDriver, keeps, type SeenMessage, START_MS, verbs } from './session.fixture.ts';

const double = (name: string): MetricDefinition => ({ name, datatype: 'Double' });

/** Two metrics of its own, and devices `a` and `b` of one each. */
function furnished(options: { rebirthIntervalMs?: number } = {}): EdgeDriver {
  const driver = new EdgeDriver(options);
  driver.define([double('voltage'), { name: 'errors', datatype: 'Int64' }]);
  const unit = {
    key: 'engUnit',
    datatype: 'String',
    value: { kind: 'string', value: 'Cel' },
  } as const;
  const temperature = { ...double('temperature'), properties: [unit] };
  driver.defineDevice('a', [temperature], [driver.reading('temperature', 20.5)]);
  driver.defineDevice('b', [double('temperature')]);
  return driver;
}

function metricsOf({ payload }: SeenMessage): Map<string | undefined, Metric> {
  return new Map(payload.metrics.map((metric) => [metric.name, metric]));
}

describe('births', () => {
  it(
    keeps(
      `tck-id-topics-nbirth-topic tck-id-topics-dbirth-topic
     tck-id-message-flow-edge-node-birth-publish-nbirth-topic
     tck-id-message-flow-device-birth-publish-dbirth-topic
     tck-id-message-flow-device-birth-publish-dbirth-match-edge-node-topic
     tck-id-payloads-dbirth-order tck-id-message-flow-device-birth-publish-nbirth-wait`,
      'are an NBIRTH, then at once a DBIRTH of each device, under their topics',
    ),
    () => {
      const topics = furnished()
        .bear()
        .map(({ raw }) => raw.topic);
      assert.deepEqual(topics, [
        'spBv1.0/g/NBIRTH/n',
        'spBv1.0/g/DBIRTH/n/a',
        'spBv1.0/g/DBIRTH/n/b',
      ]);
    },
  );

  it(
    keeps(
      `tck-id-topics-nbirth-mqtt tck-id-topics-dbirth-mqtt tck-id-payloads-nbirth-qos
     tck-id-payloads-nbirth-retain tck-id-payloads-dbirth-qos tck-id-payloads-dbirth-retain
     tck-id-message-flow-edge-node-birth-publish-nbirth-qos
     tck-id-message-flow-edge-node-birth-publish-nbirth-retained
     tck-id-message-flow-device-birth-publish-dbirth-qos
     tck-id-message-flow-device-birth-publish-dbirth-retained`,
      'go out with QoS 0, not retained',
    ),
    () => {
      for (const { raw } of furnished().bear()) assert.deepEqual([raw.qos, raw.retain], [0, false]);
    },
  );

  it(
    keeps(
      `tck-id-topics-nbirth-seq-num tck-id-topics-dbirth-seq tck-id-payloads-nbirth-seq
     tck-id-payloads-dbirth-seq tck-id-payloads-dbirth-seq-inc
     tck-id-payloads-sequence-num-req-nbirth tck-id-payloads-sequence-num-zero-nbirth
     tck-id-message-flow-edge-node-birth-publish-nbirth-payload-seq
     tck-id-message-flow-device-birth-publish-dbirth-payload-seq
     tck-id-message-flow-edge-node-birth-publish-nbirth-payload
     tck-id-message-flow-device-birth-publish-dbirth-payload`,
      'count from 0 on',
    ),
    () => {
      const driver = furnished();
      assert.deepEqual(
        driver.bear().map(({ payload }) => payload.seq),
        [0, 1, 2],
      );
      driver.do({ kind: 'link-down' });
      assert.equal(driver.bear()[0]?.payload.seq, 0);
    },
  );

  it(
    keeps(
      `tck-id-topics-nbirth-timestamp tck-id-topics-dbirth-timestamp
      tck-id-payloads-nbirth-timestamp
     tck-id-payloads-dbirth-timestamp tck-id-payloads-timestamp-in-UTC
     tck-id-payloads-metric-timestamp-in-UTC tck-id-payloads-name-birth-data-requirement`,
      'state when they were sent, and when each value was taken',
    ),
    () => {
      const driver = furnished();
      driver.clock.advance(5000);
      for (const { payload } of driver.bear()) {
        assert.equal(payload.timestampMs, START_MS + 5000);
        for (const { name, timestampMs } of payload.metrics) {
          const isNow = name === 'bdSeq' || name === 'Node Control/Rebirth';
          assert.equal(timestampMs, isNow ? START_MS + 5000 : START_MS, name);
        }
      }
    },
  );

  it(
    keeps(
      `tck-id-topics-nbirth-metric-reqs tck-id-topics-dbirth-metric-reqs
      tck-id-topics-nbirth-metrics
     tck-id-topics-dbirth-metrics tck-id-operational-behavior-data-publish-nbirth
     tck-id-operational-behavior-data-publish-dbirth
     tck-id-operational-behavior-data-publish-nbirth-values
     tck-id-operational-behavior-data-publish-dbirth-values tck-id-payloads-name-requirement
     tck-id-payloads-metric-datatype-req tck-id-payloads-metric-propertyvalue-type-req`,
      'have every metric with name, data type and its current value or null',
    ),
    () => {
      const driver = furnished();
      driver.do({ kind: 'report', readings: [driver.reading('errors', -3n)] });
      const [node, a, b] = driver.bear();
      const own = metricsOf(node!);
      const names = ['errors', 'voltage', 'bdSeq', 'Node Control/Rebirth'];
      assert.deepEqual([...own.keys()].sort(), names.sort());
      assert.deepEqual(own.get('errors')?.value, { kind: 'long', value: 2n ** 64n - 3n });
      assert.equal(own.get('errors')?.datatype, 'Int64');
      assert.equal(own.get('voltage')?.value, null);
      const temperature = metricsOf(a!).get('temperature');
      assert.deepEqual(temperature?.value, { kind: 'double', value: 20.5 });
      assert.deepEqual(temperature?.properties?.[0]?.datatype, 'String');
      assert.equal(metricsOf(b!).get('temperature')?.value, null);
    },
  );

  it(
    keeps(
      `tck-id-topics-nbirth-bdseq-included tck-id-topics-nbirth-bdseq-matching
     tck-id-payloads-nbirth-bdseq tck-id-payloads-nbirth-bdseq-repeat
     tck-id-message-flow-edge-node-birth-publish-nbirth-payload-bdSeq`,
      'of the node carry the bdSeq of the will, as Int64',
    ),
    () => {
      const driver = new EdgeDriver({}, undefined, 41);
      const [birth] = driver.bear();
      const bdSeq = metricsOf(birth!).get('bdSeq');
      assert.deepEqual(bdSeq?.value, { kind: 'long', value: 42n });
      assert.equal(bdSeq?.datatype, 'Int64');
    },
  );

  it(
    keeps(
      `tck-id-topics-nbirth-rebirth-metric tck-id-payloads-nbirth-rebirth-req
     tck-id-operational-behavior-data-commands-rebirth-name
     tck-id-operational-behavior-data-commands-rebirth-name-aliases
     tck-id-operational-behavior-data-commands-rebirth-datatype
     tck-id-operational-behavior-data-commands-rebirth-value`,
      'of the node offer Node Control/Rebirth, a Boolean that is false, without an alias',
    ),
    () => {
      const [birth] = furnished().bear();
      assert.deepEqual(metricsOf(birth!).get('Node Control/Rebirth'), {
        name: 'Node Control/Rebirth',
        timestampMs: START_MS,
        datatype: 'Boolean',
        value: { kind: 'boolean', value: false },
      });
    },
  );

  it(
    keeps(
      'tck-id-payloads-alias-uniqueness tck-id-payloads-alias-birth-requirement',
      'give each metric an alias of its own among all of the edge node',
    ),
    () => {
      const metrics = furnished()
        .bear()
        .flatMap(({ payload }) => payload.metrics)
        .filter(({ name }) => name !== 'bdSeq' && name !== 'Node Control/Rebirth');
      const aliases = metrics.map(({ alias }) => alias);
      assert.equal(aliases.includes(undefined), false);
      assert.equal(new Set(aliases).size, 4);
    },
  );

  it('never give a metric the alias that another had', () => {
    const driver = furnished();
    driver.bear();
    const first = driver.session.devices.get('a')!.metrics.get('temperature')!.alias;
    driver.defineDevice('a', [{ name: 'temperature', datatype: 'Float' }, double('humidity')]);
    const { metrics } = driver.session.devices.get('a')!;
    assert.notEqual(metrics.get('temperature')!.alias, first);
    const humidity = metrics.get('humidity')!.alias;
    driver.defineDevice('a', [double('humidity')]);
    assert.equal(driver.session.devices.get('a')!.metrics.get('humidity')!.alias, humidity);
    assert.ok(humidity > 4n);
  });

  it(
    keeps(
      `tck-id-operational-behavior-data-publish-nbirth-order
     tck-id-operational-behavior-data-publish-dbirth-order`,
      'have the values in the order they were taken',
    ),
    () => {
      const driver = furnished();
      driver.define(
        [double('x'), double('y'), double('z')],
        [
          driver.reading('x', 1, { timestampMs: START_MS - 10 }),
          driver.reading('y', 1, { timestampMs: START_MS - 30 }),
          driver.reading('z', 1, { timestampMs: START_MS - 20 }),
        ],
      );
      const [birth] = driver.bear();
      const times = birth!.payload.metrics.map(({ timestampMs }) => timestampMs!);
      assert.deepEqual(times, times.toSorted());
    },
  );

  it('come again when metrics of the edge node change', () => {
    const driver = furnished({ rebirthIntervalMs: 0 });
    driver.bear();
    assert.deepEqual(verbs(driver.define([double('other')])), ['NBIRTH', 'DBIRTH/a', 'DBIRTH/b']);
  });

  it(
    keeps(
      `tck-id-case-sensitivity-metric-names tck-id-case-sensitivity-sparkplug-ids
     tck-id-topic-structure-namespace-unique-device-id`,
      'are refused names that are the same but for their case, or cannot stand',
    ),
    () => {
      const driver = furnished();
      const before = driver.session;
      const bad: [string | undefined, MetricDefinition[]][] = [
        [undefined, [double('x'), double('X')]],
        [undefined, [double('BDSEQ')]],
        [undefined, [double('node control/rebirth')]],
        [undefined, [double('')]],
        [undefined, [double('\ud800')]],
        [undefined, [{ name: 'x', datatype: 'Unknown' }]],
        ['A', [double('x')]],
        ['a/b', [double('x')]],
      ];
      for (const [device, metrics] of bad) {
        const effects = driver.do({ kind: 'define', device, metrics, initial: [] });
        assert.equal(effects[0]?.kind, 'refused');
        assert.equal(driver.session, before);
      }
    },
  );
});

const member = (name: string): Metric => ({ name, datatype: 'Double', value: null });
const template = (definition: string | undefined, ...names: string[]): Template => ({
  ...(definition === undefined ? {} : { definition }),
  metrics: names.map(member),
  parameters: [],
});
const type = (name: string): MetricDefinition => ({ name, datatype: 'Template' });

function withMotor(): EdgeDriver {
  const driver = new EdgeDriver();
  driver.define([type('motor')], [driver.reading('motor', template(undefined, 'rpm', 'amps'))]);
  return driver;
}

function refusal(driver: EdgeDriver, value: Template, device?: string): string | undefined {
  const initial = [driver.reading('m', value)];
  const [effect] = driver.do({ kind: 'define', device, metrics: [type('m')], initial });
  return effect?.kind === 'refused' ? effect.failure.code : undefined;
}

describe('templates', () => {
  it(
    keeps(
      'tck-id-topics-nbirth-templates tck-id-payloads-template-definition-nbirth',
      'are defined in the NBIRTH before instances of them can be published',
    ),
    () => {
      assert.equal(refusal(new EdgeDriver(), template('motor', 'rpm'), 'd'), 'definition-invalid');
      const driver = withMotor();
      assert.equal(refusal(driver, template('motor', 'rpm', 'amps'), 'd'), undefined);
      const [node, device] = driver.bear();
      const wire = node!.payload.metrics.find(({ name }) => name === 'motor')?.value;
      assert.equal(wire?.kind, 'template');
      assert.equal(verbs([device!])[0], 'DBIRTH/d');
    },
  );

  it(
    keeps('tck-id-payloads-template-definition-nbirth-only', 'are defined in no other message'),
    () => {
      const driver = withMotor();
      assert.equal(refusal(driver, template(undefined, 'rpm'), 'd'), 'definition-invalid');
      driver.bear();
      const changed = driver.reading('motor', template(undefined, 'rpm'));
      const effects = driver.do({ kind: 'report', readings: [changed] });
      assert.equal(effects[0]?.kind, 'refused');
      assert.equal(effects.length, 1);
    },
  );

  it(
    keeps(
      `tck-id-payloads-template-instance-members tck-id-payloads-template-instance-members-birth
     tck-id-payloads-template-definition-members tck-id-payloads-template-definition-parameters`,
      'have in a birth all members of their definition and no others',
    ),
    () => {
      const driver = withMotor();
      assert.equal(refusal(driver, template('motor', 'rpm'), 'd'), 'definition-invalid');
      const three = template('motor', 'rpm', 'amps', 'x');
      assert.equal(refusal(driver, three, 'd'), 'definition-invalid');
      const other = { ...template('motor', 'rpm', 'amps'), parameters: [{ name: 'p' }] };
      assert.equal(refusal(driver, other, 'd'), 'definition-invalid');
    },
  );

  it(
    keeps(
      'tck-id-payloads-template-instance-members-data',
      'may have in data only some of their members',
    ),
    () => {
      const driver = withMotor();
      refusal(driver, template('motor', 'rpm', 'amps'), 'd');
      driver.bear();
      const of = (...names: string[]) =>
        driver.sent({
          kind: 'report',
          device: 'd',
          readings: [driver.reading('m', template('motor', ...names))],
        });
      assert.deepEqual(verbs(of('rpm')), ['DDATA/d']);
      assert.deepEqual(verbs(of('x')), []);
    },
  );

  it(
    keeps(
      `tck-id-payloads-template-parameter-type-req tck-id-payloads-template-parameter-value
     tck-id-payloads-template-parameter-name-type tck-id-payloads-template-version
     tck-id-payloads-template-definition-parameters-default
     tck-id-payloads-template-instance-parameters tck-id-payloads-name-requirement`,
      'state names, data types and values of members and parameters, and their version',
    ),
    () => {
      const value = { kind: 'string', value: 'ACME' } as const;
      const maker = { name: 'maker', datatype: 'String', value } as const;
      const parts = { version: '2', metrics: [member('rpm')], parameters: [maker] };
      const driver = new EdgeDriver();
      assert.equal(refusal(driver, parts), undefined);
      assert.equal(refusal(driver, { ...parts, definition: 'm' }, 'd'), undefined);
      const [node, device] = driver.bear();
      for (const [birth, definition] of [
        [node, {}],
        [device, { definition: 'm' }],
      ] as const) {
        const wire = birth!.payload.metrics.find(({ name }) => name === 'm')?.value;
        assert.deepEqual(wire, { kind: 'template', value: { ...parts, ...definition } });
      }
      const untyped = { ...parts, parameters: [{ name: 'maker', value }] };
      assert.equal(refusal(driver, untyped), 'definition-invalid');
      const nameless = { ...parts, metrics: [{ datatype: 'Double', value: null } as const] };
      assert.equal(refusal(driver, nameless), 'definition-invalid');
    },
  );
});
