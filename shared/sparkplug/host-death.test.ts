import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bdSeq, HostNodeDriver, kinds, metric, requests } from './host-node.fixture.ts';
import { keeps, START_MS } from './session.fixture.ts';

const death = (session: number) => ({ timestampMs: 1, metrics: [bdSeq(session)] });

describe('the death of an edge node', () => {
  it(
    keeps(
      `tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-offline
     tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-tags-stale
     tck-id-operational-behavior-edge-node-termination-host-action-ndeath-devices-offline
     tck-id-operational-behavior-edge-node-termination-host-action-ndeath-devices-tags-stale`,
      'makes it, its devices and all their values stale, at the time of the host',
    ),
    () => {
      const driver = new HostNodeDriver();
      driver.bear(3);
      driver.clock.advance(5000);
      const effects = driver.hear('NDEATH', death(3));
      assert.deepEqual(effects, [{ kind: 'node-died', atMs: START_MS + 5000 }]);
      assert.equal(driver.node.phase, 'dead');
      assert.deepEqual([driver.node.devices.size, driver.node.metrics.size], [0, 0]);
      assert.deepEqual(driver.hear('NDEATH', death(3)), []);
    },
  );

  it('counts only by the bdSeq of its birth', () => {
    const driver = new HostNodeDriver();
    driver.bear(3);
    for (const session of [2, 4]) assert.deepEqual(driver.hear('NDEATH', death(session)), []);
    assert.equal(driver.node.phase, 'online');
    assert.deepEqual(kinds(driver.hear('NDEATH', { metrics: [] })), ['death-malformed']);
    assert.deepEqual(kinds(driver.hear('NDATA', { seq: 2 })), ['values']);
  });

  it('counts where messages were missing, or none had come', () => {
    const driver = new HostNodeDriver();
    driver.bear(3);
    driver.hear('NDATA', { seq: 9 });
    driver.tick(2000);
    assert.deepEqual(kinds(driver.hear('NDEATH', death(3))), ['node-died']);
    assert.deepEqual(driver.tick(99_999), []);
    const unknown = new HostNodeDriver();
    assert.deepEqual(kinds(unknown.hear('NDEATH', death(1))), ['node-died']);
  });

  it('that overtook the birth of its session makes that birth doubtful', () => {
    const driver = new HostNodeDriver();
    driver.bear(3);
    driver.hear('NDEATH', death(4));
    const birth = { seq: 0, metrics: [bdSeq(4)] };
    assert.deepEqual(kinds(driver.hear('NBIRTH', birth)), [
      ...['node-lost', 'birth-doubtful', 'NCMD', 'wake'],
    ]);
    assert.deepEqual(kinds(driver.hear('NBIRTH', birth)), ['node-born']);
  });
});

describe('a birth', () => {
  it('of a new session makes devices stale until they are born', () => {
    const driver = new HostNodeDriver();
    driver.bear(3);
    driver.hear('NBIRTH', { seq: 0, metrics: [bdSeq(4)] });
    assert.equal(driver.node.devices.size, 0);
    assert.deepEqual(kinds(driver.hear('DDATA/a', { seq: 1, metrics: [metric('t', 1)] })), [
      ...['node-lost', 'metric-unknown', 'NCMD', 'wake'],
    ]);
  });

  it('that is older than the last is doubtful; the answer to the request is not', () => {
    const driver = new HostNodeDriver();
    driver.clock.advance(5000);
    driver.bear(3);
    const old = { timestampMs: START_MS, seq: 0, metrics: [bdSeq(3)] };
    assert.deepEqual(kinds(driver.hear('NBIRTH', old)), [
      ...['node-lost', 'birth-doubtful', 'NCMD', 'wake'],
    ]);
    const answer = { ...old, timestampMs: START_MS + 1 };
    assert.deepEqual(kinds(driver.hear('NBIRTH', answer)), ['node-born']);
  });

  it('is not followed by what was sent before it: when nothing else comes, it is asked for', () => {
    const driver = new HostNodeDriver();
    driver.clock.advance(5000);
    driver.bear();
    const before = { timestampMs: START_MS, seq: 2, metrics: [metric('x', 9)] };
    assert.deepEqual(kinds(driver.hear('NDATA', before)), ['wake']);
    assert.deepEqual(kinds(driver.hear('NDATA', { seq: 2 })), ['values']);
    assert.deepEqual(driver.tick(2000), []);
    driver.hear('NDATA', before);
    assert.deepEqual(kinds(driver.tick(2000)), ['node-lost', 'sequence-gap', 'NCMD', 'wake']);
  });
});

describe('the death of a device', () => {
  it(
    keeps(
      `tck-id-operational-behavior-edge-node-termination-host-action-ddeath-devices-offline
     tck-id-operational-behavior-edge-node-termination-host-action-ddeath-devices-tags-stale`,
      'makes the device and its values stale, at the time of the message',
    ),
    () => {
      const driver = new HostNodeDriver();
      driver.bear();
      driver.clock.advance(5000);
      const at = START_MS + 4000;
      assert.deepEqual(driver.hear('DDEATH/a', { timestampMs: at, seq: 2 }), [
        { kind: 'device-died', device: 'a', atMs: at },
      ]);
      assert.deepEqual(driver.hear('DDEATH/b', { seq: 3 }), []);
      assert.deepEqual(driver.hear('DDEATH/a', { seq: 4 }), []);
      const data = driver.hear('DDATA/a', { seq: 5, metrics: [metric('t', 1)] });
      assert.deepEqual(kinds(data), ['node-lost', 'metric-unknown', 'NCMD', 'wake']);
    },
  );
});

describe('a host asks for births', () => {
  it(
    keeps(
      `tck-id-operational-behavior-data-commands-ncmd-rebirth-verb
     tck-id-operational-behavior-data-commands-ncmd-rebirth-name
     tck-id-operational-behavior-data-commands-ncmd-rebirth-value
     tck-id-topics-ncmd-topic tck-id-topics-ncmd-mqtt tck-id-topics-ncmd-timestamp
     tck-id-payloads-ncmd-timestamp tck-id-payloads-ncmd-seq tck-id-payloads-ncmd-qos
     tck-id-payloads-ncmd-retain`,
      'by an NCMD, Node Control/Rebirth true, with the time, without a seq',
    ),
    () => {
      const driver = new HostNodeDriver();
      driver.hear('NDATA', { seq: 1 });
      const [request] = requests(driver.tick(2000));
      const { topic, qos, retain } = request!.raw;
      assert.deepEqual([topic, qos, retain], ['spBv1.0/g/NCMD/n', 0, false]);
      const at = START_MS + 2000;
      const value = { kind: 'boolean', value: true };
      assert.deepEqual(request?.payload, {
        timestampMs: at,
        metrics: [{ name: 'Node Control/Rebirth', timestampMs: at, value }],
      });
    },
  );

  it('again, ever less often, and then only when it hears something', () => {
    const driver = new HostNodeDriver({ rebirthTriesMax: 3 });
    driver.hear('NDATA', { seq: 1 });
    const waits: number[] = [];
    let effects = driver.tick(2000);
    for (;;) {
      const wake = effects.find((effect) => effect.kind === 'wake');
      if (wake === undefined) break;
      const wait = wake.atMs - driver.clock.now().monotonicMs;
      waits.push(wait);
      assert.deepEqual(driver.tick(wait - 1), []);
      effects = driver.tick(1);
      assert.equal(requests(effects).length, 1);
    }
    assert.deepEqual(waits, [1000, 2000, 4000]);
    assert.deepEqual(driver.tick(1_000_000), []);
    driver.hear('NDATA', { seq: 2 });
    assert.equal(requests(driver.tick(2000)).length, 1);
  });

  it('no faster than it may, however often messages are missing', () => {
    const driver = new HostNodeDriver({ reorderTimeoutMs: 0 });
    let count = 0;
    for (let i = 0; i < 1000; i++) {
      driver.clock.advance(20);
      count += requests([...driver.bear(), ...driver.hear('NDATA', { seq: 99 })]).length;
      count += requests(driver.tick()).length;
    }
    // 20 s of births that are followed by a gap at once.
    assert.ok(count > 2 && count < 8, `${count} requests`);
  });

  it('when its own link comes back: nothing counts that was known before', () => {
    const driver = new HostNodeDriver();
    driver.bear();
    const at = driver.clock.now();
    const down = [...driver.nodes.linkChanged('link-down', at)].flatMap(({ effects }) => effects);
    assert.deepEqual(kinds(down), ['node-lost']);
    const up = [...driver.nodes.linkChanged('link-up', at)].flatMap(({ effects }) => effects);
    assert.deepEqual(kinds(up), ['NCMD', 'wake']);
    assert.deepEqual(kinds(driver.hear('NDATA', { seq: 2 })), ['wake']);
    assert.deepEqual(kinds(driver.bear()), ['node-born', 'device-born']);
  });
});
