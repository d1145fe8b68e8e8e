import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createHostSession, type HostEffect, type HostInput, stepHost } from './host-session.ts';
import { decodeHostState, statePublication } from './host-state.ts';
import type { Publication } from './publication.ts';
import { keeps, publications, START_MS, TestClock } from './session.fixture.ts';

class HostDriver {
  session = createHostSession({ host: 'h1', groups: ['g1', 'g2'] });
  readonly clock = new TestClock();

  do(kind: Exclude<HostInput['kind'], 'delivery'>): readonly HostEffect[] {
    return this.#step({ kind, at: this.clock.now() });
  }

  deliver(message: Pick<Publication, 'topic' | 'payload'>): readonly HostEffect[] {
    const delivery = { ...message, retained: false };
    return this.#step({ kind: 'delivery', message: delivery, at: this.clock.now() });
  }

  /** Connects, some milliseconds for each step. */
  open(): { connect: HostEffect; subscribe: HostEffect; birth: HostEffect[] } {
    const [connect] = this.do('connect');
    this.clock.advance(40);
    const [subscribe] = this.do('connected');
    this.clock.advance(40);
    return { connect: connect!, subscribe: subscribe!, birth: [...this.do('subscribed')] };
  }

  #step(input: HostInput): readonly HostEffect[] {
    const step = stepHost(this.session, input);
    this.session = step.session;
    return step.effects;
  }
}

function stateOf({ payload }: Publication) {
  const state = decodeHostState(payload);
  assert.ok(state.ok);
  return state.value;
}

function willOf(effect: HostEffect): Publication {
  assert.equal(effect.kind, 'connect');
  return (effect as { will: Publication }).will;
}

describe('a host application', () => {
  it(
    keeps(
      `tck-id-message-flow-phid-sparkplug-clean-session-311
     tck-id-message-flow-phid-sparkplug-clean-session-50`,
      'connects with a session that does not outlive the connection',
    ),
    () => {
      const { connect } = new HostDriver().open();
      assert.ok(connect.kind === 'connect' && connect.cleanSession);
      assert.equal(connect.sessionExpirySeconds, 0);
    },
  );

  it(
    keeps(
      `tck-id-operational-behavior-host-application-connect-will
     tck-id-operational-behavior-host-application-connect-will-topic
     tck-id-operational-behavior-host-application-connect-will-payload
     tck-id-operational-behavior-host-application-connect-will-qos
     tck-id-operational-behavior-host-application-connect-will-retained
     tck-id-host-topic-phid-death-qos tck-id-host-topic-phid-death-retain
     tck-id-host-topic-phid-death-topic tck-id-host-topic-phid-death-required
     tck-id-host-topic-phid-death-payload tck-id-host-topic-phid-death-payload-timestamp-connect
     tck-id-host-topic-phid-death-payload-connect
     tck-id-payloads-state-will-message tck-id-payloads-state-will-message-qos
     tck-id-payloads-state-will-message-retain tck-id-payloads-state-will-message-payload
     tck-id-operational-behavior-host-application-death-payload`,
      'leaves its death as the will: STATE, offline, the time of the CONNECT, QoS 1, retained',
    ),
    () => {
      const will = willOf(new HostDriver().open().connect);
      assert.deepEqual([will.topic, will.qos, will.retain], ['spBv1.0/STATE/h1', 1, true]);
      assert.deepEqual(stateOf(will), { online: false, timestampMs: START_MS });
    },
  );

  it(
    keeps(
      `tck-id-host-topic-phid-birth-message tck-id-host-topic-phid-birth-sub-required
     tck-id-host-topic-phid-birth-required tck-id-message-flow-phid-sparkplug-subscription
     tck-id-message-flow-phid-sparkplug-state-publish tck-id-payloads-state-subscribe
     tck-id-payloads-state-birth tck-id-principles-birth-certificates-order
     tck-id-operational-behavior-host-application-connect-birth
     tck-id-operational-behavior-primary-application-state-with-multiple-servers-state`,
      'subscribes to its STATE and its groups, and only then says that it is online',
    ),
    () => {
      const driver = new HostDriver();
      const { subscribe, birth } = driver.open();
      assert.deepEqual(subscribe.kind === 'subscribe' && subscribe.subscriptions, [
        { filter: 'spBv1.0/STATE/h1', qos: 1 },
        { filter: 'spBv1.0/g1/#', qos: 1 },
        { filter: 'spBv1.0/g2/#', qos: 1 },
      ]);
      assert.deepEqual(
        birth.map(({ kind }) => kind),
        ['publish'],
      );
    },
  );

  it(
    keeps(
      `tck-id-host-topic-phid-birth-qos tck-id-host-topic-phid-birth-retain
     tck-id-host-topic-phid-birth-topic tck-id-host-topic-phid-birth-payload
     tck-id-host-topic-phid-birth-payload-timestamp tck-id-payloads-state-birth-payload
     tck-id-message-flow-phid-sparkplug-state-publish-payload
     tck-id-message-flow-phid-sparkplug-state-publish-payload-timestamp
     tck-id-operational-behavior-host-application-connect-birth-topic
     tck-id-operational-behavior-host-application-connect-birth-payload
     tck-id-operational-behavior-host-application-connect-birth-qos
     tck-id-operational-behavior-host-application-connect-birth-retained`,
      'is born with the time of its will, QoS 1, retained',
    ),
    () => {
      const [birth] = publications(new HostDriver().open().birth);
      assert.deepEqual([birth?.topic, birth?.qos, birth?.retain], ['spBv1.0/STATE/h1', 1, true]);
      assert.deepEqual(stateOf(birth!), { online: true, timestampMs: START_MS });
    },
  );

  it(
    keeps(
      'tck-id-message-flow-hid-sparkplug-state-message-delivered',
      'contradicts at once who says that it is offline',
    ),
    () => {
      const driver = new HostDriver();
      const dead = statePublication('h1', { online: false, timestampMs: 5 });
      driver.do('connect');
      driver.do('connected');
      assert.deepEqual(driver.deliver(dead), []);
      driver.clock.advance(70);
      const [birth] = publications(driver.do('subscribed'));
      const [again] = publications(driver.deliver(dead));
      assert.deepEqual(again, birth);
      const garbage = { ...dead, payload: new Uint8Array() };
      assert.deepEqual(publications(driver.deliver(garbage)), [birth]);
      assert.deepEqual(driver.deliver(birth!), []);
      assert.deepEqual(driver.deliver(statePublication('h2', stateOf(dead))), []);
      driver.do('link-down');
      assert.deepEqual(driver.deliver(dead), []);
    },
  );

  it(
    keeps(
      `tck-id-operational-behavior-host-application-termination
     tck-id-operational-behavior-host-application-death-topic
     tck-id-operational-behavior-host-application-death-qos
     tck-id-operational-behavior-host-application-death-retained
     tck-id-operational-behavior-host-application-disconnect-intentional
     tck-id-host-topic-phid-death-payload-timestamp-disconnect-clean
     tck-id-host-topic-phid-death-payload-disconnect-clean
     tck-id-host-topic-phid-death-payload-disconnect-with-no-disconnect-packet
     tck-id-host-topic-phid-death-payload-timestamp-disconnect-with-no-disconnect-packet
     tck-id-conformance-primary-host tck-id-components-ph-state tck-id-intro-sparkplug-host-state`,
      'says that it is offline, with the time, before it disconnects',
    ),
    () => {
      const driver = new HostDriver();
      driver.open();
      driver.clock.advance(1000);
      const effects = driver.do('leave');
      assert.deepEqual(
        effects.map(({ kind }) => kind),
        ['publish', 'disconnect'],
      );
      const [death] = publications(effects);
      assert.deepEqual([death?.topic, death?.qos, death?.retain], ['spBv1.0/STATE/h1', 1, true]);
      assert.deepEqual(stateOf(death!), { online: false, timestampMs: START_MS + 1080 });
      assert.deepEqual(driver.do('leave'), []);
    },
  );

  it(
    keeps(
      'tck-id-operational-behavior-host-application-multi-server-timestamp',
      'has a time of its own for each broker and connection',
    ),
    () => {
      const [one, two] = [new HostDriver(), new HostDriver()];
      one.open();
      two.open();
      one.do('link-down');
      one.clock.advance(500);
      assert.equal(stateOf(willOf(one.open().connect)).timestampMs, START_MS + 580);
      assert.equal(two.session.connectMs, START_MS);
    },
  );

  it('does one thing after the other, whatever comes', () => {
    const driver = new HostDriver();
    assert.deepEqual(driver.do('connected'), []);
    assert.deepEqual(driver.do('subscribed'), []);
    driver.do('connect');
    assert.deepEqual(driver.do('connect'), []);
    assert.deepEqual(driver.do('subscribed'), []);
    assert.deepEqual(driver.do('leave'), [{ kind: 'disconnect' }]);
  });
});
