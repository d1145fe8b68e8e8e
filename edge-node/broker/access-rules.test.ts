import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ConnectRequest, deviceAccessRules, type PublishRequest } from './access-rules.ts';

const rules = deviceAccessRules('trial');
const verdict = (result: { ok: boolean; error?: { code: string } }) =>
  result.ok ? 'ok' : result.error?.code;

const connect: ConnectRequest = {
  clientId: 'mote-1',
  username: '0123456789abcdef',
  clean: true,
  keepaliveSeconds: 30,
  will: undefined,
};
const publish: PublishRequest = {
  topic: 'diten/v1/trial/mote-1/data',
  qos: 0,
  retain: false,
  sizeBytes: 100,
};
const presence: PublishRequest = {
  ...publish,
  topic: 'diten/v1/trial/mote-1/presence',
  qos: 1,
  retain: true,
};

describe('access rules: connecting', () => {
  it('keeps out a device that is barred, as soon as it is', () => {
    const barred = new Set<string>();
    const { connect: decide } = deviceAccessRules('trial', (device) => barred.has(device));
    assert.equal(verdict(decide(connect)), 'ok');
    barred.add('mote-1');
    assert.equal(verdict(decide(connect)), 'device-barred');
    assert.equal(verdict(decide({ ...connect, clientId: 'mote-2' })), 'ok');
  });

  const cases: [Partial<ConnectRequest>, string][] = [
    [{}, 'ok'],
    [{ will: presence }, 'ok'],
    [{ clientId: 'a'.repeat(64) }, 'ok'],
    [{ clientId: '' }, 'client-id-invalid'],
    [{ clientId: 'a'.repeat(65) }, 'client-id-invalid'],
    [{ clientId: 'Mote' }, 'client-id-invalid'],
    [{ clientId: 'mote/1' }, 'client-id-invalid'],
    [{ clientId: '+' }, 'client-id-invalid'],
    [{ username: undefined }, 'epoch-invalid'],
    [{ username: 'mote-1' }, 'epoch-invalid'],
    [{ clean: false }, 'session-not-clean'],
    [{ keepaliveSeconds: 0 }, 'keepalive-invalid'],
    [{ keepaliveSeconds: 301 }, 'keepalive-invalid'],
    [{ will: { ...presence, topic: 'diten/v1/trial/mote-2/presence' } }, 'publish-forbidden'],
    [{ will: { ...publish, retain: true } }, 'retain-forbidden'],
    [{ will: { ...presence, qos: 2 } }, 'qos-unsupported'],
  ];
  for (const [change, expected] of cases) {
    it(`${JSON.stringify(change)}: ${expected}`, () => {
      assert.equal(verdict(rules.connect({ ...connect, ...change })), expected);
    });
  }
});

describe('access rules: publishing', () => {
  const cases: [Partial<PublishRequest>, string][] = [
    [{}, 'ok'],
    [{ topic: 'diten/v1/trial/mote-1/update', qos: 1 }, 'ok'],
    [presence, 'ok'],
    [{ topic: 'diten/v1/trial/mote-1/reporting' }, 'ok'],
    [{ topic: 'diten/v1/trial/mote-1/reporting', retain: true }, 'retain-forbidden'],
    [{ topic: 'diten/v1/trial/mote-1/ack', qos: 1 }, 'ok'],
    [{ topic: 'diten/v1/trial/mote-1/ack', retain: true }, 'retain-forbidden'],
    [{ topic: 'diten/v1/trial/mote-1/command/12345678/reply', qos: 1 }, 'ok'],
    [{ topic: 'diten/v1/trial/mote-1/command/12345678/reply', retain: true }, 'retain-forbidden'],
    [{ topic: 'diten/v1/trial/mote-1/command/12345678' }, 'publish-forbidden'],
    [{ topic: 'diten/v1/trial/mote-2/command/12345678/reply' }, 'publish-forbidden'],
    [{ topic: 'diten/v1/trial/mote-1/desired' }, 'publish-forbidden'],
    [{ ...presence, sizeBytes: 2 ** 18 + 1 }, 'retain-forbidden'],
    [{ retain: true }, 'retain-forbidden'],
    [{ qos: 2 }, 'qos-unsupported'],
    [{ topic: 'diten/v1/trial/mote-1/committed' }, 'publish-forbidden'],
    [{ topic: 'diten/v1/trial/mote-1/data/x' }, 'publish-forbidden'],
    [{ topic: 'diten/v1/trial/mote-2/data' }, 'publish-forbidden'],
    [{ topic: 'diten/v1/other/mote-1/data' }, 'publish-forbidden'],
    [{ topic: 'diten/v1/trial/mote-1/' }, 'publish-forbidden'],
    [{ topic: '$SYS/x' }, 'publish-forbidden'],
    [{ topic: '' }, 'publish-forbidden'],
  ];
  for (const [change, expected] of cases) {
    it(`${JSON.stringify(change)}: ${expected}`, () => {
      assert.equal(verdict(rules.publish('mote-1', { ...publish, ...change })), expected);
    });
  }
});

describe('access rules: subscribing', () => {
  const cases: [string, string][] = [
    ['diten/v1/trial/mote-1/#', 'ok'],
    ['diten/v1/trial/mote-1/committed', 'ok'],
    ['diten/v1/trial/mote-1/command/+', 'ok'],
    ['diten/v1/trial/mote-1', 'subscription-forbidden'],
    ['diten/v1/trial/mote-11/#', 'subscription-forbidden'],
    ['diten/v1/trial/mote-1#', 'subscription-forbidden'],
    ['diten/v1/trial/mote-1/#/x', 'subscription-forbidden'],
    ['diten/v1/trial/+/data', 'subscription-forbidden'],
    ['diten/v1/trial/#', 'subscription-forbidden'],
    ['diten/v1/other/mote-1/#', 'subscription-forbidden'],
    ['#', 'subscription-forbidden'],
    ['$SYS/#', 'subscription-forbidden'],
    [`diten/v1/trial/mote-1/${'x/'.repeat(20)}`, 'subscription-forbidden'],
  ];
  for (const [filter, expected] of cases) {
    it(`${filter}: ${expected}`, () => {
      assert.equal(verdict(rules.subscribe('mote-1', filter)), expected);
    });
  }
});
