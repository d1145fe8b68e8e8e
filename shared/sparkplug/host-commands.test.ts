import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CommandRequest, commandTo } from './host-commands.ts';
import { bdSeq, HostNodeDriver, metric } from './host-node.fixture.ts';
import { keeps, see } from './session.fixture.ts';

/** `x` has alias 1, `plain` none; the device `a` has `t`, alias 2. */
function born(): HostNodeDriver {
  const driver = new HostNodeDriver();
  const metrics = [bdSeq(0), metric('x', 1, 1n), metric('plain', 1)];
  driver.hear('NBIRTH', { seq: 0, metrics });
  driver.hear('DBIRTH/a', { seq: 1, metrics: [metric('t', 20, 2n)] });
  return driver;
}

function command(request: Omit<CommandRequest, 'wallMs'>, driver = born()) {
  return commandTo(driver.node, { ...request, wallMs: 77 });
}

function sent(request: Omit<CommandRequest, 'wallMs'>) {
  const made = command(request);
  assert.ok(made.ok);
  return see(made.value);
}

describe('a command', () => {
  it(
    keeps(
      `tck-id-topics-ncmd-topic tck-id-topics-dcmd-topic tck-id-topics-ncmd-mqtt
     tck-id-topics-dcmd-mqtt tck-id-payloads-ncmd-qos tck-id-payloads-ncmd-retain
     tck-id-payloads-dcmd-qos tck-id-payloads-dcmd-retain
     tck-id-operational-behavior-data-commands-ncmd-verb
     tck-id-operational-behavior-data-commands-dcmd-verb`,
      'is an NCMD to an edge node, a DCMD to a device, QoS 0, not retained',
    ),
    () => {
      const to = (request: Omit<CommandRequest, 'wallMs'>) => {
        const { topic, qos, retain } = sent(request).raw;
        return [topic, qos, retain];
      };
      assert.deepEqual(to({ writes: [] }), ['spBv1.0/g/NCMD/n', 0, false]);
      assert.deepEqual(to({ device: 'a', writes: [] }), ['spBv1.0/g/DCMD/n/a', 0, false]);
    },
  );

  it(
    keeps(
      `tck-id-topics-ncmd-payload tck-id-topics-dcmd-payload tck-id-topics-ncmd-timestamp
     tck-id-topics-dcmd-timestamp tck-id-payloads-ncmd-timestamp tck-id-payloads-dcmd-timestamp
     tck-id-payloads-ncmd-seq tck-id-payloads-dcmd-seq tck-id-payloads-alias-data-cmd-requirement
     tck-id-payloads-name-requirement tck-id-payloads-name-cmd-requirement
     tck-id-payloads-metric-datatype-not-req`,
      'has the time, no seq, and each metric by alias, by name where it has none',
    ),
    () => {
      const { payload } = sent({
        writes: [
          { name: 'x', value: 5 },
          { name: 'plain', value: null },
        ],
      });
      assert.deepEqual(payload, {
        timestampMs: 77,
        metrics: [
          { alias: 1n, timestampMs: 77, value: { kind: 'double', value: 5 } },
          { name: 'plain', timestampMs: 77, value: null },
        ],
      });
      const device = sent({ device: 'a', writes: [{ name: 't', value: 1 }] });
      assert.equal(device.payload.metrics[0]?.alias, 2n);
      assert.equal(device.payload.seq, undefined);
    },
  );

  it(
    keeps(
      `tck-id-operational-behavior-data-commands-ncmd-metric-value
     tck-id-operational-behavior-data-commands-dcmd-metric-value
     tck-id-operational-behavior-data-commands-ncmd-metric-name
     tck-id-operational-behavior-data-commands-dcmd-metric-name`,
      'is refused where no birth announced the metric, or the value is not of its type',
    ),
    () => {
      const code = (...args: Parameters<typeof command>) => {
        const made = command(...args);
        return made.ok ? 'ok' : made.error.code;
      };
      assert.equal(code({ writes: [{ name: 'y', value: 1 }] }), 'metric-unknown');
      assert.equal(code({ writes: [{ name: 't', value: 1 }] }), 'metric-unknown');
      assert.equal(code({ writes: [{ name: 'x', value: 'on' }] }), 'value-mismatch');
      const device = { device: 'a', writes: [{ name: 't', value: true }] };
      assert.equal(code(device), 'value-mismatch');
    },
  );

  it('is refused while it could not arrive', () => {
    const driver = born();
    driver.hear('DDEATH/a', { seq: 2 });
    const device = command({ device: 'a', writes: [] }, driver);
    assert.equal(!device.ok && device.error.code, 'node-offline');
    driver.hear('NDEATH', { metrics: [bdSeq(0)] });
    const node = command({ writes: [] }, driver);
    assert.equal(!node.ok && node.error.code, 'node-offline');
  });
});
