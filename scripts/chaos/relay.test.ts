import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Relay } from './relay.ts';

const echo = createServer((socket) => {
  socket.on('error', () => undefined); // resets are what is tested
  socket.pipe(socket);
});
let relay: Relay;

async function open(): Promise<Socket> {
  const socket = connect(relay.port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

async function answer(socket: Socket, length: number): Promise<number> {
  let bytes = 0;
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length;
    if (bytes >= length) break;
  }
  return bytes;
}

/** Resolves when it is closed, with an error or without. */
function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('error', () => undefined).on('close', () => resolve());
  });
}

describe('relay', { timeout: 20_000 }, () => {
  before(async () => {
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    relay = await Relay.start((echo.address() as { port: number }).port);
  });
  beforeEach(() => relay.heal());
  after(async () => {
    await relay[Symbol.asyncDispose]();
    echo.close();
  });

  it('lets everything pass, slowly where told so', async () => {
    const socket = await open();
    socket.write(Buffer.alloc(200_000));
    assert.equal(await answer(socket, 200_000), 200_000);
    relay.slow(1);
    socket.write(Buffer.alloc(20_000));
    assert.equal(await answer(socket, 20_000), 20_000);
    socket.destroy();
  });

  it('cuts connections, and lets none through until healed', async () => {
    const socket = await open();
    relay.cut();
    await ended(socket);
    await ended(connect(relay.port, '127.0.0.1'));
    relay.heal();
    const healed = await open();
    healed.write('x');
    assert.equal(await answer(healed, 1), 1);
    healed.destroy();
  });

  it('holds back what comes while blocked, and brings it later', async () => {
    const socket = await open();
    relay.block();
    socket.write('x');
    await sleep(50);
    assert.equal(socket.bytesRead, 0);
    relay.heal();
    assert.equal(await answer(socket, 1), 1);
    socket.destroy();
  });

  it('resets a connection in the middle of what it carries', async () => {
    const socket = await open();
    relay.resetNext();
    socket.write(Buffer.alloc(1000));
    await ended(socket);
    assert.ok(socket.bytesRead < 1000);
  });
});
