import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { until } from './mqtt-client.contract.ts';
import { type OverheardMessage, overhearMqtt } from './overhear-mqtt.ts';

const CONNACK_5 = [0x20, 3, 0, 0, 0];
const CONNACK_4 = [0x20, 2, 0, 0];
const WRONG_VERSION = [0x20, 2, 0, 1];

/** A PUBLISH of QoS 0 to topic `t`; MQTT 5 has a length of properties before the payload. */
function publish(retain: boolean, protocol: 4 | 5, text: string): number[] {
  const payload = [...new TextEncoder().encode(text)];
  const body = [0, 1, 0x74, ...(protocol === 5 ? [0] : []), ...payload];
  return [0x30 | (retain ? 1 : 0), body.length, ...body];
}

interface Script {
  /** What the server answers a CONNECT of that version with. */
  connack(protocol: number): number[];
  /** What it sends after the SUBACK to a subscription with these options. */
  deliver(options: number): number[];
  /** The reason codes of the SUBACK, by filter. */
  grant?(filter: string): number;
}

/** Just as much of a broker as a subscriber to single filters needs. */
async function serve(script: Script) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let protocol = 0;
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (packet) => {
      if (packet[0] === 0x10) {
        protocol = packet[8]!;
        socket.write(Uint8Array.from(script.connack(protocol)));
      } else if (packet[0] === 0x82) {
        const properties = protocol === 5 ? [0] : [];
        const filter = packet.subarray(4 + properties.length + 2, -1).toString();
        const granted = script.grant?.(filter) ?? 2;
        const suback = [
          0x90,
          3 + properties.length,
          packet[2]!,
          packet[3]!,
          ...properties,
          granted,
        ];
        socket.write(Uint8Array.from([...suback, ...script.deliver(packet.at(-1)!)]));
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const heard: OverheardMessage[] = [];
  const lost = { count: 0 };
  const overhear = (filters: readonly string[] = ['t']) =>
    overhearMqtt({
      url: `mqtt://127.0.0.1:${port}`,
      filters,
      onMessage: (message) => heard.push(message),
      onLost: () => lost.count++,
    });
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return { overhear, heard, lost, close, sockets };
}

const textOf = ({ payload, retain, kept }: OverheardMessage) =>
  `${new TextDecoder().decode(payload)} ${retain} ${kept}`;

describe('overhearing MQTT', { timeout: 40_000 }, () => {
  it('knows over MQTT 5 how live messages were published, and which ones were kept', async () => {
    const AS_PUBLISHED = 0b1000;
    const server = await serve({
      connack: () => CONNACK_5,
      deliver: (options) =>
        options & AS_PUBLISHED
          ? [...publish(true, 5, 'live'), ...publish(false, 5, 'fleeting')]
          : [...publish(true, 5, 'old'), ...publish(false, 5, 'live')],
    });
    const overhearing = await server.overhear();
    await until(() => server.heard.length >= 3);
    assert.equal(overhearing.protocol, 5);
    assert.deepEqual(server.heard.map(textOf).sort(), [
      'fleeting false false',
      'live true false',
      'old true true',
    ]);
    await overhearing[Symbol.asyncDispose]();
    assert.equal(server.lost.count, 0);
    await server.close();
  });

  it('turns to MQTT 3.1.1, where it knows it of kept messages only', async () => {
    const server = await serve({
      connack: (protocol) => (protocol === 5 ? WRONG_VERSION : CONNACK_4),
      deliver: () => [...publish(true, 4, 'old'), ...publish(false, 4, 'live')],
    });
    const overhearing = await server.overhear();
    await until(() => server.heard.length >= 2);
    assert.equal(overhearing.protocol, 4);
    assert.deepEqual(server.heard.map(textOf), ['old true true', 'live undefined false']);
    await overhearing[Symbol.asyncDispose]();
    await server.close();
  });

  it('says when the connection goes', async () => {
    const server = await serve({ connack: () => CONNACK_5, deliver: () => [] });
    const overhearing = await server.overhear();
    for (const socket of server.sockets) socket.destroy();
    await until(() => server.lost.count > 0);
    await overhearing[Symbol.asyncDispose]();
    await server.close();
  });

  it('does without all filters but the first', async () => {
    const server = await serve({
      connack: () => CONNACK_5,
      deliver: () => [],
      grant: (filter) => (filter === 't' ? 2 : 0x87),
    });
    const overhearing = await server.overhear(['t', 'u']);
    await overhearing[Symbol.asyncDispose]();
    const refused = { code: 'subscription-refused' };
    await assert.rejects(server.overhear(['u', 't']), refused);
    await server.close();
  });

  it('says what is wrong where there is no broker, or none that lets it in', async () => {
    const server = await serve({ connack: () => [0x20, 2, 0, 5], deliver: () => [] });
    await assert.rejects(server.overhear(), { code: 'broker-refused' });
    await server.close();
    await assert.rejects(server.overhear(), { code: 'broker-unreachable', exit: 1 });
    const fail = () => assert.fail();
    const options = { filters: ['t'], onMessage: fail, onLost: fail };
    const misspelt = overhearMqtt({ ...options, url: 'http://x' });
    await assert.rejects(misspelt, { code: 'broker-url-invalid' });
  });
});
