import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EdgeEffect } from './edge-session.ts';
import { EdgeDriver, keeps, publications, START_MS, see, verbs } from './session.fixture.ts';

type Connect = Extract<EdgeEffect, { kind: 'connect' }>;

function connectOf(effects: readonly EdgeEffect[]): Connect {
  const [connect] = effects.filter((effect) => effect.kind === 'connect');
  assert.ok(connect !== undefined, 'it connects');
  return connect;
}

function bdSeqOf(connect: Connect): bigint {
  const [metric] = see(connect.will).payload.metrics;
  assert.equal(metric?.value?.kind, 'long');
  return (metric.value as { value: bigint }).value;
}

function filtersOf(effects: readonly EdgeEffect[]) {
  return effects.flatMap((effect) =>
    effect.kind === 'subscribe' ? effect.subscriptions.map(({ filter, qos }) => [filter, qos]) : [],
  );
}

const output = { name: 'led', datatype: 'Boolean', isWritable: true } as const;
const input = { name: 'temperature', datatype: 'Double' } as const;

describe('an edge node connects', () => {
  it(
    keeps(
      `tck-id-principles-persistence-clean-session-311
     tck-id-principles-persistence-clean-session-50`,
      'with a session that does not outlive the connection',
    ),
    () => {
      const { cleanSession, sessionExpirySeconds } = connectOf(new EdgeDriver().connect());
      assert.deepEqual(
        { cleanSession, sessionExpirySeconds },
        {
          cleanSession: true,
          sessionExpirySeconds: 0,
        },
      );
    },
  );

  it(
    keeps(
      `tck-id-message-flow-edge-node-birth-publish-will-message
     tck-id-message-flow-edge-node-birth-publish-will-message-topic
     tck-id-message-flow-edge-node-birth-publish-will-message-payload
     tck-id-message-flow-edge-node-birth-publish-will-message-qos
     tck-id-message-flow-edge-node-birth-publish-will-message-will-retained
     tck-id-topics-ndeath-topic tck-id-topics-ndeath-payload tck-id-topics-ndeath-seq
     tck-id-payloads-ndeath-seq tck-id-payloads-ndeath-will-message
     tck-id-payloads-ndeath-will-message-qos tck-id-payloads-ndeath-will-message-retain`,
      'with its death as the will, QoS 1, not retained, nothing but bdSeq in it',
    ),
    () => {
      const { will } = connectOf(new EdgeDriver().connect());
      assert.deepEqual([will.topic, will.qos, will.retain], ['spBv1.0/g/NDEATH/n', 1, false]);
      const value = { kind: 'long', value: 0n };
      assert.deepEqual(see(will).payload, {
        timestampMs: START_MS,
        metrics: [{ name: 'bdSeq', timestampMs: START_MS, datatype: 'Int64', value }],
      });
    },
  );

  it(
    keeps(
      `tck-id-message-flow-edge-node-birth-publish-will-message-payload-bdSeq
     tck-id-topics-nbirth-bdseq-increment`,
      'with the bdSeq that follows the last CONNECT, 0 after 255',
    ),
    () => {
      const driver = new EdgeDriver();
      for (let connection = 0; connection < 300; connection++) {
        const connect = connectOf(driver.connect());
        assert.equal(connect.bdSeq, connection % 256);
        assert.equal(bdSeqOf(connect), BigInt(connection % 256));
        driver.do({ kind: 'link-down' });
      }
      const kept = new EdgeDriver({}, undefined, 255);
      assert.equal(connectOf(kept.connect()).bdSeq, 0);
    },
  );

  it('with the same bdSeq again where no CONNECT went out', () => {
    const driver = new EdgeDriver();
    for (let attempt = 0; attempt < 3; attempt++) {
      assert.equal(connectOf(driver.do({ kind: 'connect' })).bdSeq, 0);
      driver.do({ kind: 'link-down', isUnsent: true });
      driver.do({ kind: 'link-down' });
    }
    connectOf(driver.connect());
    driver.do({ kind: 'link-down', isUnsent: true });
    assert.equal(connectOf(driver.connect()).bdSeq, 1);
  });

  it(
    keeps(
      'tck-id-operational-behavior-primary-application-state-with-multiple-servers-single-server',
      'to one broker at a time',
    ),
    () => {
      const driver = new EdgeDriver({ serverCount: 2 });
      driver.do({ kind: 'connect' });
      assert.deepEqual(driver.do({ kind: 'connect' }), []);
      driver.do({ kind: 'connected' });
      driver.do({ kind: 'subscribed' });
      assert.deepEqual(driver.do({ kind: 'connect' }), []);
    },
  );

  it(
    keeps(
      `tck-id-message-flow-edge-node-ncmd-subscribe tck-id-message-flow-device-dcmd-subscribe
     tck-id-message-flow-edge-node-birth-publish-connect tck-id-principles-birth-certificates-order
     tck-id-operational-behavior-primary-application-state-with-multiple-servers-state-subs`,
      'and subscribes to commands and its host, QoS 1, before it publishes its birth first of all',
    ),
    () => {
      const driver = new EdgeDriver({ primaryHost: 'h' });
      assert.deepEqual(driver.define([input]), []);
      assert.deepEqual(driver.defineDevice('a', [input, output]), []);
      assert.deepEqual(driver.defineDevice('b', [input]), []);
      const effects = driver.connect();
      assert.deepEqual(filtersOf(effects), [
        ['spBv1.0/g/NCMD/n', 1],
        ['spBv1.0/g/DCMD/n/a', 1],
        ['spBv1.0/STATE/h', 1],
      ]);
      assert.deepEqual(publications(effects), []);
      const free = new EdgeDriver();
      assert.deepEqual(verbs(free.bear()), ['NBIRTH']);
    },
  );

  it('and subscribes to commands of a device that comes later before its birth', () => {
    const driver = new EdgeDriver();
    driver.bear();
    const effects = driver.do({ kind: 'define', device: 'a', metrics: [output], initial: [] });
    assert.deepEqual(
      effects.map(({ kind }) => kind),
      ['subscribe', 'publish'],
    );
    assert.deepEqual(filtersOf(effects), [['spBv1.0/g/DCMD/n/a', 1]]);
  });
});

describe('an edge node leaves', () => {
  it(
    keeps(
      `tck-id-operational-behavior-edge-node-intentional-disconnect-ndeath
     tck-id-operational-behavior-edge-node-intentional-disconnect-packet
     tck-id-payloads-ndeath-will-message-publisher
     tck-id-payloads-ndeath-will-message-publisher-disconnect-mqtt311
     tck-id-payloads-ndeath-will-message-publisher-disconnect-mqtt50
     tck-id-payloads-ndeath-bdseq`,
      'with an NDEATH of its session before the DISCONNECT',
    ),
    () => {
      const driver = new EdgeDriver({}, undefined, 6);
      driver.bear();
      const effects = driver.do({ kind: 'leave' });
      assert.deepEqual(
        effects.map(({ kind }) => kind),
        ['publish', 'disconnect'],
      );
      const [death] = publications(effects).map(see);
      assert.equal(death?.topic.kind, 'NDEATH');
      assert.equal(death?.payload.seq, undefined);
      assert.deepEqual(death?.payload.metrics[0]?.value, { kind: 'long', value: 7n });
      assert.deepEqual(effects[1], {
        kind: 'disconnect',
        sendPacket: true,
        reasonCode: 4,
        next: 'stay-away',
      });
      assert.deepEqual(driver.do({ kind: 'leave' }), []);
    },
  );

  it('without a word where it was never born, so that its will goes out', () => {
    const driver = new EdgeDriver({ primaryHost: 'h' });
    driver.connect();
    driver.do({ kind: 'subscribed' });
    assert.deepEqual(driver.do({ kind: 'leave' }), [
      { kind: 'disconnect', sendPacket: false, reasonCode: 4, next: 'stay-away' },
    ]);
  });
});
