import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Actuator } from '#device-agent/control/actuator.ts';
import { type CommandHandler, CommandListener } from '#device-agent/control/command-listener.ts';
import { DesiredState } from '#device-agent/control/desired-state.ts';
import { createSimulatedOutput } from '#device-agent/control/simulated-output.ts';
import { openAccess } from '#edge-node/api/api.fixture.ts';
import { createApi } from '#edge-node/api/api.ts';
import { deviceAccessRules } from '#edge-node/broker/access-rules.ts';
import { startBroker } from '#edge-node/broker/broker.ts';
import { CommandSender } from '#edge-node/twins/control/command-sender.ts';
import { DesiredPublisher } from '#edge-node/twins/control/desired-publisher.ts';
import { TwinStore } from '#edge-node/twins/twin-store.ts';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { serveHttp } from '#runtime/http/serve-http.ts';
import { connectMqtt } from '#runtime/mqtt/mqtt-js-client.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import type { JsonValue } from '#shared/twin/document/json.ts';
import { ackCodec } from '#shared/wire/control.ts';
import { topicOf } from '#shared/wire/topics.ts';
import { until } from './deadline.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-control-'));
after(() => rmSync(root, { recursive: true }));
const [group, device] = ['lab', 'mote-1'];
const thingPath = `/api/2/things/${group}:${device}`;

async function startEdge(folder: string, port = 0) {
  await using parts = new AsyncDisposableStack();
  const events = createEvents(log, clock);
  const store = parts.use(
    new TwinStore(join(folder, 'twins.sqlite'), { group, nowMs: clock.nowMs() }),
  );
  const limits = { payloadSizeBytesMax: 2 ** 20, clientsMax: 10 };
  const access = deviceAccessRules(group);
  const broker = parts.use(
    await startBroker({ host: '127.0.0.1', port, ...limits, access, events }),
  );
  const mqtt = broker.localClient();
  parts.use(await DesiredPublisher.start({ store, mqtt, group, clock, events }));
  const commands = parts.use(await CommandSender.start({ mqtt, group, clock, events }));
  const app = createApi({
    ...{ twins: store, commands, group, twinsMax: 10, clock, events, status: () => ({}) },
    access: openAccess(),
  });
  const http = parts.use(await serveHttp(app.fetch, { host: '127.0.0.1', port: 0 }));
  const kept = parts.move();
  const call = async (method: string, path: string, body?: JsonValue) => {
    const response = await fetch(`${http.url}${thingPath}${path}`, {
      method,
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  };
  const state = async (): Promise<string> => (await call('GET', '/delta')).body[0]?.state;
  return {
    ...{ store, events, call, state, port: broker.port },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

interface DeviceOptions {
  readonly actuators?: readonly Actuator[];
  readonly handlers?: Readonly<Record<string, CommandHandler>>;
}

async function startDevice(port: number, { actuators = [], handlers = {} }: DeviceOptions) {
  const mqtt = connectMqtt({
    url: `mqtt://127.0.0.1:${port}`,
    ...{ clientId: device, username: '0123456789abcdef', keepaliveSeconds: 5 },
    ...{ reconnectPeriodMs: 20, log },
  });
  const outputs = await DesiredState.start({ mqtt, group, device, actuators, log });
  await CommandListener.start({ mqtt, group, device, handlers, log });
  return Object.assign(mqtt, { outputs });
}

/** An output that remembers what it was set to. */
function output(property: string) {
  const values: JsonValue[] = [];
  const real = createSimulatedOutput(property, log);
  const set = async (value: JsonValue) => {
    values.push(value);
    return await real.set(value);
  };
  return { values, actuator: { ...real, set, [Symbol.dispose]: () => undefined } };
}

describe('control plane', { timeout: 60_000 }, () => {
  it('brings a desired value to the output, and the answer to the twin', async () => {
    await using edge = await startEdge(mkdtempSync(join(root, 'edge-')));
    const led = output('led/on');
    await edge.call('PUT', '', {});
    await using _device = await startDevice(edge.port, { actuators: [led.actuator] });
    await edge.call('PUT', '/features/led/desiredProperties/on', true);
    await until(async () => (await edge.state()) === 'in-step');
    assert.deepEqual(led.values, [true]);
    await edge.call('PUT', '/features/led/desiredProperties/on', 'bright');
    await until(async () => (await edge.state()) === 'rejected');
    const [why] = (await edge.call('GET', '/why')).body;
    assert.match(JSON.stringify(why.reasons), /on or off/);
    await edge.call('PUT', '/features/none/desiredProperties/x', 1);
    await until(async () => {
      const { body } = await edge.call('GET', '/delta');
      return body.find(({ path }: { path: string }) => path === 'none/x')?.state === 'rejected';
    });
  });

  it('says what was desired to a device that comes later, also after a restart', async () => {
    const folder = mkdtempSync(join(root, 'edge-'));
    {
      await using edge = await startEdge(folder);
      await edge.call('PUT', '', {});
      await edge.call('PUT', '/features/led/desiredProperties/on', true);
    }
    await using edge = await startEdge(folder);
    const led = output('led/on');
    await using _device = await startDevice(edge.port, { actuators: [led.actuator] });
    await until(async () => (await edge.state()) === 'in-step');
    assert.deepEqual(led.values, [true]);
  });

  it('sets each version once, and answers again to an edge node that lost it', async () => {
    const led = output('led/on');
    const folder = mkdtempSync(join(root, 'edge-'));
    let port = 0;
    await using parts = new AsyncDisposableStack();
    {
      await using edge = await startEdge(folder);
      port = edge.port;
      parts.use(await startDevice(port, { actuators: [led.actuator] }));
      await edge.call('PUT', '', {});
      const changeSoon = edge.store.changeSoon.bind(edge.store);
      let lost = 0;
      edge.store.changeSoon = (name, decide) =>
        changeSoon(name, (moment) => {
          const input = decide(moment);
          if (input.kind !== 'acknowledged') return input;
          lost += 1;
          throw new Error('the disk is full');
        });
      await edge.call('PUT', '/features/led/desiredProperties/on', true);
      await until(() => lost > 0);
      assert.equal(await edge.state(), 'unseen');
    }
    await using edge = await startEdge(folder, port);
    await until(async () => (await edge.state()) === 'in-step');
    assert.deepEqual(led.values, [true]);
  });

  it('sets again what the hub desires where somebody else set it in between', async () => {
    const led = output('led/on');
    const folder = mkdtempSync(join(root, 'edge-'));
    let port = 0;
    await using parts = new AsyncDisposableStack();
    const shown: JsonValue[] = [];
    {
      await using edge = await startEdge(folder);
      port = edge.port;
      const { outputs } = parts.use(await startDevice(port, { actuators: [led.actuator] }));
      await edge.call('PUT', '', {});
      await edge.call('PUT', '/features/led/desiredProperties/on', true);
      await until(async () => (await edge.state()) === 'in-step');
      outputs.onSet((path, value) => shown.push(path, value));
      assert.deepEqual(await outputs.set('led/on', 0), { kind: 'done' });
      assert.equal((await outputs.set('led/off', 0)).kind, 'refused');
      assert.equal((await outputs.set('led/on', 'x')).kind, 'refused');
    }
    await using _edge = await startEdge(folder, port);
    await until(() => led.values.length === 4);
    assert.deepEqual(led.values, [true, 0, 'x', true]);
    assert.deepEqual(shown, ['led/on', true, 'led/on', false, 'led/on', true]);
  });

  it('lets only so much wait for an output that hangs', async () => {
    await using edge = await startEdge(mkdtempSync(join(root, 'edge-')));
    const { promise, resolve } = Promise.withResolvers<{ kind: 'done' }>();
    const hung: Actuator = {
      ...{ property: 'valve/open', set: () => promise, [Symbol.dispose]: () => undefined },
    };
    const led = output('led/on');
    const actuators = [hung, led.actuator];
    await using mqtt = await startDevice(edge.port, { actuators });
    const waiting = Array.from({ length: 100 }, () => mqtt.outputs.set('valve/open', true));
    const refused = await mqtt.outputs.set('valve/open', true);
    assert.equal(refused.kind === 'refused' && refused.code, 429);
    assert.equal((await mqtt.outputs.set('led/on', true)).kind, 'done');
    resolve({ kind: 'done' });
    assert.ok((await Promise.all(waiting)).every(({ kind }) => kind === 'done'));
    assert.equal((await mqtt.outputs.set('valve/open', true)).kind, 'done');
  });

  it('refuses acknowledgements of anything else, and of others', async () => {
    await using edge = await startEdge(mkdtempSync(join(root, 'edge-')));
    await edge.call('PUT', '', {});
    await edge.call('PUT', '/features/led/desiredProperties/on', true);
    await using client = await startDevice(edge.port, {});
    await until(async () => (await edge.state()) === 'rejected');
    const { revision, desiredEpoch } = edge.store.get(device)!;
    const answer = { path: 'led/on', value: true, ac: 200, av: 1, ad: '' };
    const ack = (epoch: string, change: object) =>
      client.publish(
        topicOf(group, device, 'ack'),
        ackCodec.encode({ v: 1, epoch, acknowledgements: [{ ...answer, ...change }] }),
        { qos: 1 },
      );
    await ack('0'.repeat(16), {});
    await ack(desiredEpoch, { av: 2 });
    await ack(desiredEpoch, { path: 'a/b' });
    await client.publish(topicOf(group, device, 'ack'), Buffer.from('junk'), { qos: 1 });
    await until(() => edge.events.counts()['message-invalid'] === 1);
    assert.equal(edge.events.counts()['acknowledgement-outdated'], 3);
    assert.equal(edge.store.get(device)?.revision, revision);
  });

  it('carries a command to the device and its reply back', async () => {
    await using edge = await startEdge(mkdtempSync(join(root, 'edge-')));
    await edge.call('PUT', '', {});
    const seen: JsonValue[] = [];
    const handlers = {
      'valve/turn': async (payload: JsonValue) => {
        seen.push(payload);
        return { status: 200, payload: { turned: payload } };
      },
      break: () => Promise.reject(new Error('it is stuck')),
    };
    await using _device = await startDevice(edge.port, { handlers });
    await until(
      async () => (await edge.call('POST', '/inbox/messages/x?timeout=200ms')).status === 404,
    );
    const reply = await edge.call('POST', '/inbox/messages/valve/turn', 90);
    assert.deepEqual(reply, { status: 200, body: { turned: 90 } });
    assert.equal((await edge.call('POST', '/inbox/messages/break', null)).status, 500);
    assert.equal((await edge.call('POST', '/inbox/messages/valve/turn?timeout=0', 1)).status, 202);
    await until(() => seen.length === 2);
    assert.deepEqual(seen, [90, 1]);
  });

  it('answers 408 for a device that does not, and 429 when too many wait', async () => {
    await using edge = await startEdge(mkdtempSync(join(root, 'edge-')));
    await edge.call('PUT', '', {});
    const held = Promise.withResolvers<{ status: number; payload: JsonValue }>();
    const handlers = {
      never: () => held.promise,
      ready: async () => ({ status: 200, payload: 1 }),
    };
    await using _device = await startDevice(edge.port, { handlers });
    const isThere = async () =>
      (await edge.call('POST', '/inbox/messages/ready?timeout=200ms')).status === 200;
    await until(isThere);
    const late = await edge.call('POST', '/inbox/messages/never?timeout=50ms');
    assert.deepEqual([late.status, late.body.error], [408, 'messages:timeout']);
    const statuses: number[] = [];
    const sent = Array.from({ length: 40 }, async () => {
      statuses.push((await edge.call('POST', '/inbox/messages/never?timeout=60s')).status);
    });
    await until(() => statuses.length >= 8);
    held.resolve({ status: 200, payload: null });
    await Promise.all(sent);
    assert.deepEqual(statuses, [...Array(8).fill(429), ...Array(32).fill(200)]);
  });
});
