import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { silentLog } from '#runtime/observe/log.ts';
import { until } from './mqtt-client.contract.ts';
import { MqttLink, type MqttLinkListener } from './mqtt-link.ts';

const ACCEPTED = Uint8Array.of(0x20, 2, 0, 0);
const DISCONNECT = Buffer.of(0xe0, 0);
const will = (text: string) => ({ topic: 'will', payload: Buffer.from(text) });

/** A server that answers each connection's first bytes so, and keeps what each one sent. */
async function serve(answer: Uint8Array | 'close') {
  const heard: Buffer[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const index = sockets.push(socket) - 1;
    heard[index] = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      const isFirst = heard[index]?.length === 0;
      heard[index] = Buffer.concat([heard[index] ?? Buffer.alloc(0), chunk]);
      if (answer === 'close') socket.destroy();
      else if (isFirst) socket.write(answer);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const stop = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port, heard, sockets, stop };
}

/** A link whose every connection leaves the number of its attempt as the will. */
function linkTo(port: number) {
  const seen: string[] = [];
  let attempt = 0;
  const listener: MqttLinkListener = {
    due: () => link.open(will(`will ${++attempt}`)),
    connected: () => seen.push('connected'),
    subscribed: () => seen.push('subscribed'),
    message: () => seen.push('message'),
    closed: (isUnsent) => seen.push(isUnsent ? 'unsent' : 'closed'),
  };
  const link = new MqttLink(
    {
      ...{ url: `mqtt://127.0.0.1:${port}`, clientId: 'a', keepaliveSeconds: 30 },
      ...{ reconnectPeriodMs: 1, log: silentLog },
    },
    listener,
  );
  listener.due();
  return { link, seen };
}

describe('MQTT link', { timeout: 40_000 }, () => {
  it('leaves a will of its own with each connection', async () => {
    const { port, heard, stop } = await serve('close');
    const { link, seen } = linkTo(port);
    await until(() => heard.length >= 3);
    await link[Symbol.asyncDispose]();
    stop();
    for (const [i, sent] of heard.slice(0, 2).entries()) {
      assert.ok(sent.includes(`will ${i + 1}`), `${sent}`);
    }
    assert.deepEqual([...new Set(seen)], ['closed']);
  });

  it('knows that nothing was sent where nobody listens', async () => {
    const { port, stop } = await serve('close');
    stop();
    const { link, seen } = linkTo(port);
    await until(() => seen.length >= 2);
    await link[Symbol.asyncDispose]();
    assert.deepEqual([...new Set(seen)], ['unsent']);
  });

  for (const sendPacket of [true, false]) {
    it(`closes ${sendPacket ? 'with' : 'without'} a DISCONNECT, and connects again`, async () => {
      const { port, heard, stop } = await serve(ACCEPTED);
      const { link, seen } = linkTo(port);
      await until(() => seen.includes('connected'));
      link.publish({ topic: 'last', payload: Buffer.from('word'), qos: 0, retain: false });
      link.close({ sendPacket });
      await until(() => seen.filter((each) => each === 'connected').length === 2);
      assert.equal(heard[0]?.subarray(-2).equals(DISCONNECT), sendPacket);
      assert.equal(heard[0]?.includes('word'), sendPacket);
      await link[Symbol.asyncDispose]();
      stop();
    });
  }

  it('begins again where a subscription is refused', async () => {
    const { port, heard, sockets, stop } = await serve(ACCEPTED);
    const { link, seen } = linkTo(port);
    await until(() => seen.includes('connected'));
    link.subscribe(['secret']);
    await until(() => heard[0]?.includes('secret') === true);
    const packet = heard[0]?.subarray(heard[0].indexOf('secret') - 4) ?? Buffer.alloc(2);
    sockets[0]?.write(Uint8Array.of(0x90, 3, packet[0] ?? 0, packet[1] ?? 0, 0x80));
    await until(() => seen.includes('closed'));
    assert.ok(!seen.includes('subscribed'));
    await link[Symbol.asyncDispose]();
    stop();
  });

  it('ends for good, though its server never answers', async () => {
    const { port, heard, stop } = await serve(Buffer.alloc(0));
    const { link, seen } = linkTo(port);
    await until(() => heard[0] !== undefined && heard[0].length > 0);
    await link[Symbol.asyncDispose]();
    assert.deepEqual(seen, ['closed']);
    link.open(will('late'));
    assert.equal(heard.length, 1);
    stop();
  });
});
