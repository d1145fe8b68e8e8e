import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { silentLog } from '#runtime/observe/log.ts';
import { until } from './mqtt-client.contract.ts';
import type { OfflineCode } from './mqtt-client.ts';
import { connectMqtt } from './mqtt-js-client.ts';

/** A server that answers every connection with `answer`, and what a client of it goes through. */
async function clientOf(answer: Uint8Array | 'close') {
  const attempts = { count: 0 };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    attempts.count++;
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    if (answer === 'close') socket.destroy();
    else socket.resume().write(answer);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = connectMqtt({
    url: `mqtt://127.0.0.1:${port}`,
    clientId: 'a',
    keepaliveSeconds: 30,
    reconnectPeriodMs: 1,
    log: silentLog,
  });
  const reasons: (OfflineCode | undefined)[] = [];
  client.onConnectionChange((_, reason) => reasons.push(reason?.code));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return { client, server, attempts, reasons, cut };
}

describe('MQTT.js client without a broker', { timeout: 40_000 }, () => {
  const cases: [string, Uint8Array | 'close', OfflineCode][] = [
    ['closes at once', 'close', 'unreachable'],
    ['sends no MQTT', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'unreachable'],
    ['refuses the protocol', Uint8Array.of(0x20, 2, 0, 1), 'protocol-refused'],
    ['refuses the client id', Uint8Array.of(0x20, 2, 0, 2), 'identifier-rejected'],
    ['is not available', Uint8Array.of(0x20, 2, 0, 3), 'server-unavailable'],
    ['refuses the user name', Uint8Array.of(0x20, 2, 0, 4), 'credentials-refused'],
    ['refuses the client', Uint8Array.of(0x20, 2, 0, 5), 'not-authorised'],
  ];
  for (const [what, answer, expected] of cases) {
    it(`tries again, and says why once, where the server ${what}`, async () => {
      const { client, server, attempts, reasons } = await clientOf(answer);
      await until(() => attempts.count >= 3);
      assert.deepEqual(reasons, [expected]);
      assert.equal(client.connected, false);
      await assert.rejects(client.publish('a', new Uint8Array()), { code: 'not-connected' });
      await client[Symbol.asyncDispose]();
      assert.deepEqual(reasons, [expected, 'closed']);
      server.close();
      await once(server, 'close');
    });
  }

  it('rejects what was under way when the connection goes', async () => {
    const { client, server, cut } = await clientOf(Uint8Array.of(0x20, 2, 0, 0));
    await until(() => client.connected);
    const publishing = client.publish('a', Uint8Array.of(1), { qos: 1 });
    const subscribing = client.subscribe('b', () => undefined);
    cut();
    await assert.rejects(publishing, { code: 'connection-lost' });
    await subscribing;
    await client[Symbol.asyncDispose]();
    server.close();
  });

  it('takes no more than so much under way', async () => {
    const { client, server, cut } = await clientOf(Uint8Array.of(0x20, 2, 0, 0));
    await until(() => client.connected);
    const publishing = Array.from({ length: 1001 }, () =>
      client.publish('a', Uint8Array.of(1), { qos: 1 }).catch(({ code }) => code),
    );
    assert.equal(await publishing.at(-1), 'congested');
    cut();
    assert.deepEqual(
      new Set(await Promise.all(publishing)),
      new Set(['connection-lost', 'congested']),
    );
    await client[Symbol.asyncDispose]();
    server.close();
  });

  it('names the mend where the address is none', () => {
    for (const url of ['localhost:1883', 'http://localhost', 'mqtt://', 'x', 'mqtt://a:b']) {
      assert.throws(
        () =>
          connectMqtt({
            url,
            clientId: 'a',
            keepaliveSeconds: 30,
            reconnectPeriodMs: 1,
            log: silentLog,
          }),
        { code: 'broker-url-invalid', exit: 78 },
      );
    }
  });
});
