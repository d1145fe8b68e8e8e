import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { statePublication } from './host-state.ts';
import { EdgeDriver, keeps, publications, see, verbs } from './session.fixture.ts';

function heard(driver: EdgeDriver, online: boolean, timestampMs: number, host = 'h') {
  const { topic, payload } = statePublication(host, { online, timestampMs });
  return driver.deliver(topic, payload, true);
}

function waiting(serverCount = 1): EdgeDriver {
  const driver = new EdgeDriver({ primaryHost: 'h', serverCount });
  driver.connect();
  driver.do({ kind: 'subscribed' });
  return driver;
}

const farewell = [
  { kind: 'publish', verb: 'NDEATH' },
  { kind: 'disconnect', sendPacket: true, reasonCode: 4, next: 'next-server' },
];

function named(effects: ReturnType<typeof heard>) {
  return effects.map((effect) =>
    effect.kind === 'publish' ? { kind: 'publish', verb: see(effect.message).topic.kind } : effect,
  );
}

describe('an edge node with a primary host', () => {
  it(
    keeps(
      `tck-id-message-flow-edge-node-birth-publish-phid-wait
     tck-id-message-flow-edge-node-birth-publish-phid-wait-online
     tck-id-operational-behavior-edge-node-birth-sequence-wait`,
      'is born when the host says that it is online, and not before',
    ),
    () => {
      const driver = waiting();
      assert.equal(driver.session.phase, 'waiting');
      driver.define([{ name: 'x', datatype: 'Double' }]);
      assert.deepEqual(driver.sent({ kind: 'report', readings: [driver.reading('x', 1)] }), []);
      assert.deepEqual(heard(driver, false, 100), []);
      assert.deepEqual(verbs(publications(heard(driver, true, 101)).map(see)), ['NBIRTH']);
    },
  );

  it('is born at once where the host spoke before the subscriptions were granted', () => {
    const driver = new EdgeDriver({ primaryHost: 'h' });
    driver.connect();
    assert.deepEqual(heard(driver, true, 100), []);
    assert.deepEqual(verbs(driver.sent({ kind: 'subscribed' })), ['NBIRTH']);
  });

  it(
    keeps('tck-id-message-flow-edge-node-birth-publish-phid-wait-id', 'heeds no other host'),
    () => {
      const driver = waiting();
      assert.deepEqual(heard(driver, true, 100, 'H'), []);
      assert.deepEqual(heard(driver, true, 100, 'other'), []);
      heard(driver, true, 100);
      assert.deepEqual(heard(driver, false, 200, 'other'), []);
    },
  );

  it(
    keeps(
      'tck-id-message-flow-edge-node-birth-publish-phid-wait-timestamp',
      'does not believe an online that is older than what it heard last',
    ),
    () => {
      const driver = waiting();
      heard(driver, false, 100);
      assert.deepEqual(heard(driver, true, 99), []);
      assert.equal(driver.session.phase, 'waiting');
      assert.equal(publications(heard(driver, true, 100)).length, 1);
    },
  );

  it(
    keeps(
      `tck-id-message-flow-edge-node-birth-publish-phid-offline
     tck-id-operational-behavior-edge-node-termination-host-offline
     tck-id-operational-behavior-edge-node-termination-host-offline-reconnect
     tck-id-operational-behavior-primary-application-state-with-multiple-servers-walk`,
      'says farewell when the host goes offline, and walks to the next broker',
    ),
    () => {
      for (const timestampMs of [100, 150]) {
        const driver = waiting(2);
        heard(driver, true, 100);
        assert.deepEqual(named(heard(driver, false, timestampMs)), farewell);
        assert.equal(driver.session.phase, 'offline');
      }
      const unborn = waiting(2);
      assert.deepEqual(heard(unborn, false, 100), [
        { kind: 'disconnect', sendPacket: false, reasonCode: 4, next: 'next-server' },
      ]);
    },
  );

  it(
    keeps(
      'tck-id-operational-behavior-edge-node-termination-host-offline-timestamp',
      'stays where an offline is older than the online',
    ),
    () => {
      const driver = waiting();
      heard(driver, true, 100);
      assert.deepEqual(heard(driver, false, 99), []);
      assert.equal(driver.session.phase, 'online');
    },
  );

  it('believes the next broker anew, whatever the last one said', () => {
    const driver = waiting(2);
    heard(driver, true, 500);
    heard(driver, false, 500);
    driver.connect();
    assert.deepEqual(heard(driver, true, 100), []);
    assert.deepEqual(verbs(driver.sent({ kind: 'subscribed' })), ['NBIRTH']);
  });

  it('refuses what is no STATE', () => {
    const driver = waiting();
    const [effect] = driver.deliver('spBv1.0/STATE/h', new TextEncoder().encode('ONLINE'));
    assert.equal(effect?.kind === 'refused' && effect.failure.code, 'state-malformed');
    const [other] = driver.deliver('elsewhere', new Uint8Array());
    assert.equal(other?.kind === 'refused' && other.failure.code, 'topic-foreign');
  });
});
