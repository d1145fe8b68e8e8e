import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConnectRequest, PublishRequest } from './access-rules.ts';
import { groupAccessRules } from './sparkplug-rules.ts';

const barred = new Set(['mote-9']);
const options = {
  group: 'lab',
  isBarred: (device: string) => barred.has(device),
  sparkplug: { host: { id: 'edge-1', token: 'secret' }, observers: true, operators: true },
};
const rules = groupAccessRules(options);
const verdict = (result: { ok: boolean; error?: { code: string } }) =>
  result.ok ? 'ok' : result.error?.code;

const said = (topic: string, rest: Partial<PublishRequest> = {}): PublishRequest => ({
  ...{ topic, qos: 0, retain: false, sizeBytes: 10 },
  ...rest,
});
const session = { clean: true, keepaliveSeconds: 10, will: undefined };
const mote: ConnectRequest = { ...session, clientId: 'mote-1.sparkplug', username: '0'.repeat(16) };
const host: ConnectRequest = { ...session, clientId: 'edge-1.host', username: 'secret' };
const operator: ConnectRequest = { ...session, clientId: 'scada.operator', username: undefined };
const observer: ConnectRequest = { ...session, clientId: 'doctor-1.observer', username: undefined };

describe('access rules: roles of Sparkplug', () => {
  const connects: [string, ConnectRequest, string][] = [
    ['an edge node', mote, 'ok'],
    ['its death', { ...mote, will: said('spBv1.0/lab/NDEATH/mote-1', { qos: 1 }) }, 'ok'],
    ["another's death", { ...mote, will: said('spBv1.0/lab/NDEATH/mote-2') }, 'publish-forbidden'],
    ['one without an epoch', { ...mote, username: undefined }, 'epoch-invalid'],
    ['one that is barred', { ...mote, clientId: 'mote-9.sparkplug' }, 'device-barred'],
    ['one that wants to be kept', { ...mote, clean: false }, 'session-not-clean'],
    ['one without keep-alive', { ...mote, keepaliveSeconds: 0 }, 'keepalive-invalid'],
    ['a role that is none', { ...mote, clientId: 'mote-1.king' }, 'client-id-invalid'],
    ['two roles', { ...mote, clientId: 'mote-1.host.sparkplug' }, 'client-id-invalid'],
    ['the host', { ...host, will: said('spBv1.0/STATE/edge-1', { qos: 1, retain: true }) }, 'ok'],
    ["another host's will", { ...host, will: said('spBv1.0/STATE/x') }, 'publish-forbidden'],
    ['one that knows no token', { ...host, username: 'guess' }, 'host-foreign'],
    ['one that says none', { ...host, username: undefined }, 'host-foreign'],
    ['a host of another name', { ...host, clientId: 'edge-2.host' }, 'client-id-invalid'],
    ['an observer', observer, 'ok'],
    ['an operator', operator, 'ok'],
    [
      'a host of its own',
      { ...operator, will: said('spBv1.0/STATE/scada', { qos: 1, retain: true }) },
      'ok',
    ],
    ['no host of its own', { ...operator, will: said('spBv1.0/STATE/x') }, 'publish-forbidden'],
    ['an observer with a will', { ...observer, will: said('x') }, 'publish-forbidden'],
  ];
  for (const [what, request, expected] of connects) {
    it(`${expected}: ${what}`, () => assert.equal(verdict(rules.connect(request)), expected));
  }

  it('lets nobody listen, nor be the host, where these are off', () => {
    const off = groupAccessRules({ ...options, sparkplug: { observers: false, operators: false } });
    assert.equal(verdict(off.connect(observer)), 'observers-off');
    assert.equal(verdict(off.connect(operator)), 'operators-off');
    assert.equal(verdict(off.connect(host)), 'client-id-invalid');
  });

  const publishes: [string, PublishRequest, string][] = [
    ['mote-1.sparkplug', said('spBv1.0/lab/NBIRTH/mote-1'), 'ok'],
    ['mote-1.sparkplug', said('spBv1.0/lab/DDATA/mote-1/cpu'), 'ok'],
    ['mote-1.sparkplug', said('spBv1.0/lab/NBIRTH/mote-2'), 'publish-forbidden'],
    ['mote-1.sparkplug', said('spBv1.0/else/NBIRTH/mote-1'), 'publish-forbidden'],
    ['mote-1.sparkplug', said('spBv1.0/lab/NCMD/mote-1'), 'publish-forbidden'],
    ['mote-1.sparkplug', said('spBv1.0/lab/DCMD/mote-1/cpu'), 'publish-forbidden'],
    ['mote-1.sparkplug', said('spBv1.0/STATE/edge-1'), 'publish-forbidden'],
    ['mote-1.sparkplug', said('diten/v1/lab/mote-1/data'), 'publish-forbidden'],
    ['mote-1.sparkplug', said('spBv1.0/lab/NBIRTH/mote-1', { retain: true }), 'retain-forbidden'],
    ['mote-1.sparkplug', said('spBv1.0/lab/NBIRTH/mote-1', { qos: 2 }), 'qos-unsupported'],
    ['mote-1', said('spBv1.0/lab/NBIRTH/mote-1'), 'publish-forbidden'],
    ['edge-1.host', said('spBv1.0/STATE/edge-1', { qos: 1, retain: true }), 'ok'],
    ['edge-1.host', said('spBv1.0/lab/NCMD/mote-1'), 'ok'],
    ['edge-1.host', said('spBv1.0/lab/NCMD/mote-1', { retain: true }), 'retain-forbidden'],
    ['edge-1.host', said('spBv1.0/else/NCMD/mote-1'), 'publish-forbidden'],
    ['edge-1.host', said('spBv1.0/lab/NDEATH/mote-1'), 'publish-forbidden'],
    ['doctor-1.observer', said('spBv1.0/lab/NCMD/mote-1'), 'publish-forbidden'],
    ['scada.operator', said('spBv1.0/lab/DCMD/mote-1/led'), 'ok'],
    ['scada.operator', said('spBv1.0/lab/NCMD/mote-1', { retain: true }), 'retain-forbidden'],
    ['scada.operator', said('spBv1.0/else/DCMD/mote-1/led'), 'publish-forbidden'],
    ['scada.operator', said('spBv1.0/lab/DDATA/mote-1/led'), 'publish-forbidden'],
    ['scada.operator', said('spBv1.0/STATE/scada', { qos: 1, retain: true }), 'ok'],
    ['edge-1.operator', said('spBv1.0/STATE/edge-1'), 'publish-forbidden'],
    ['scada.operator', said('diten/v1/lab/mote-1/desired'), 'publish-forbidden'],
  ];
  for (const [client, request, expected] of publishes) {
    const { topic, qos, retain } = request;
    it(`${expected}: ${client} publishes ${topic}, QoS ${qos}${retain ? ', retained' : ''}`, () =>
      assert.equal(verdict(rules.publish(client, request)), expected));
  }

  const subscriptions: [string, string, string][] = [
    ['mote-1.sparkplug', 'spBv1.0/lab/NCMD/mote-1', 'ok'],
    ['mote-1.sparkplug', 'spBv1.0/lab/DCMD/mote-1/cpu', 'ok'],
    ['mote-1.sparkplug', 'spBv1.0/STATE/plant', 'ok'],
    ['mote-1.sparkplug', 'spBv1.0/lab/NCMD/mote-2', 'subscription-forbidden'],
    ['mote-1.sparkplug', 'spBv1.0/lab/NCMD/+', 'subscription-forbidden'],
    ['mote-1.sparkplug', 'spBv1.0/#', 'subscription-forbidden'],
    ['mote-1.sparkplug', 'spBv1.0/lab/DDATA/mote-1/cpu', 'subscription-forbidden'],
    ['edge-1.host', 'spBv1.0/lab/#', 'ok'],
    ['edge-1.host', 'spBv1.0/STATE/edge-1', 'ok'],
    ['edge-1.host', '#', 'subscription-forbidden'],
    ['doctor-1.observer', 'spBv1.0/#', 'ok'],
    ['doctor-1.observer', 'spBv1.0/a#', 'subscription-forbidden'],
    ['doctor-1.observer', 'diten/v1/#', 'subscription-forbidden'],
    ['scada.operator', 'spBv1.0/#', 'ok'],
    ['scada.operator', 'diten/v1/#', 'subscription-forbidden'],
    ['mote-1', 'spBv1.0/#', 'subscription-forbidden'],
  ];
  for (const [client, filter, expected] of subscriptions) {
    it(`${expected}: ${client} reads ${filter}`, () =>
      assert.equal(verdict(rules.subscribe(client, filter)), expected));
  }
});
