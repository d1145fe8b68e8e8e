import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { type HttpServer, serveHttp } from '#runtime/http/serve-http.ts';
import { TwinStore } from '../twins/twin-store.ts';
import { apiOptions } from './api.fixture.ts';
import { createApi } from './api.ts';

const THING = '/api/2/things/lab:mote-1';

describe('abuse of the HTTP API', { timeout: 60_000 }, () => {
  let twins: TwinStore;
  let server: HttpServer;
  let parts: AsyncDisposableStack;

  beforeEach(async () => {
    parts = new AsyncDisposableStack();
    twins = parts.use(new TwinStore(':memory:', { group: 'lab', nowMs: 0 }));
    const edit = { op: 'put', path: '', value: { attributes: { kept: true } } } as const;
    twins.change('mote-1', { kind: 'edited', nowMs: 0, by: 'ann', edit });
    server = await serve({ headersMs: 10_000, requestMs: 30_000 });
  });
  afterEach(() => parts.disposeAsync());

  async function serve(patience: { headersMs: number; requestMs: number }): Promise<HttpServer> {
    const { fetch } = createApi(apiOptions({ twins, clock }));
    return parts.use(await serveHttp(fetch, { host: '127.0.0.1', port: 0 }, patience));
  }

  function open({ port }: HttpServer = server): Socket {
    const socket = parts.adopt(connect(port, '127.0.0.1'), (each) => {
      each.destroy();
    });
    return socket.on('error', () => undefined);
  }

  /** Sends bytes as they are, and reads what comes back until the end. */
  async function raw(bytes: string | Uint8Array, to = server): Promise<[number, string]> {
    const socket = open(to);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    socket.write(bytes);
    await once(socket, 'close');
    const [head = '', body = ''] = text.split('\r\n\r\n');
    const { error = '' } = JSON.parse(body || '{}') as { error?: string };
    return [Number(head.split(' ')[1]), error];
  }

  async function put(body: string | Uint8Array, headers = {}): Promise<[number, string]> {
    const response = await fetch(`${server.url}${THING}/attributes/x`, {
      ...{ method: 'PUT', headers: { 'Content-Type': 'application/json', ...headers } },
      body: typeof body === 'string' ? body : Buffer.from(body),
    });
    const { error = '' } = (await response.json()) as { error?: string };
    return [response.status, error];
  }

  async function assertUnharmed() {
    const response = await fetch(`${server.url}${THING}/attributes`);
    assert.deepEqual(await response.json(), { kept: true });
  }

  const close = 'Connection: close\r\n';
  const requests: [string, string, number, string][] = [
    [
      'a URL of 100,000 characters',
      `GET ${THING}?fields=${'a'.repeat(100_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      431,
      'api:headers.toolarge',
    ],
    [
      'a URL of 10,000 characters',
      `GET ${THING}?fields=${'a'.repeat(10_000)} HTTP/1.1\r\nHost: localhost\r\n${close}\r\n`,
      414,
      'api:uri.toolong',
    ],
    ['what is no HTTP', 'HELO there\r\n\r\n', 400, 'api:request.malformed'],
    [
      'two lengths of one body',
      `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n`,
      400,
      'api:request.malformed',
    ],
    [
      'a host that is none',
      `GET ${THING} HTTP/1.1\r\nHost: a b\r\n${close}\r\n`,
      400,
      'api:request.malformed',
    ],
    [
      'another host in the request line',
      `GET http://elsewhere.example${THING} HTTP/1.1\r\nHost: localhost\r\n${close}\r\n`,
      403,
      'api:source.foreign',
    ],
    [
      'a path of many parts',
      `GET /${'a/'.repeat(3000)}b HTTP/1.1\r\nHost: localhost\r\n${close}\r\n`,
      400,
      'json:pointer.invalid',
    ],
  ];
  for (const [name, bytes, status, error] of requests) {
    it(`refuses ${name} with a code`, async () => {
      assert.deepEqual(await raw(bytes), [status, error]);
      await assertUnharmed();
    });
  }

  const bomb = `${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`;
  const bodies: [string, string | Uint8Array, Record<string, string>, number, string][] = [
    ['a number beyond all numbers', '1e999', {}, 400, 'json:invalid'],
    ['a key given twice', '{"a":1,"b":{"a":1},"a":2}', {}, 400, 'json:invalid'],
    ['a key given twice, once in disguise', '{"a":1,"\\u0061":2}', {}, 400, 'json:invalid'],
    ['a prototype', '{"a":{"__proto__":{"b":1}}}', {}, 400, 'json:invalid'],
    ['nesting without end', bomb, {}, 400, 'json:invalid'],
    ['bytes that are not UTF-8', Uint8Array.of(34, 0xc3, 0x28, 34), {}, 400, 'json:invalid'],
    ['half a character', '"\\ud800"', {}, 400, 'json:invalid'],
    ['no body', '', {}, 400, 'json:invalid'],
    ['an unknown type', '1', { 'Content-Type': 'text/x' }, 415, 'api:mediatype.unsupported'],
    ['compression', '1', { 'Content-Encoding': 'gzip' }, 415, 'api:encoding.unsupported'],
    ['a bad tag', '1', { 'If-Match': '"rev:x"' }, 400, 'api:header.invalid'],
  ];
  for (const [name, body, headers, status, error] of bodies) {
    it(`refuses ${name} in a body with a code`, async () => {
      assert.deepEqual(await put(body, headers), [status, error]);
      await assertUnharmed();
    });
  }

  it('takes an object that has the same key on several levels', async () => {
    const value = { a: { a: [{ a: '{"a":1,"a":2}' }, { a: 'a:' }] }, 'b"': 1 };
    const response = await fetch(`${server.url}${THING}/attributes/x`, {
      ...{ method: 'PUT', headers: { 'Content-Type': 'application/json' } },
      body: JSON.stringify(value),
    });
    assert.equal(response.status, 201);
  });

  it('refuses a body without end before it has it', async () => {
    const head = `PUT ${THING} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
    const socket = open();
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
    const answered = once(socket, 'data');
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    for (let n = 0; n < 6; n++) socket.write(chunk);
    assert.match(String((await answered)[0]), /^HTTP\/1.1 413 /);
    await assertUnharmed();
  });

  it('cuts off who sends headers or a body too slowly, and serves others meanwhile', async () => {
    const slow = await serve({ headersMs: 150, requestMs: 300 });
    const head = `PUT ${THING} HTTP/1.1\r\nHost: localhost\r\n`;
    const bodiless = raw(head, slow);
    const halved = Array.from({ length: 200 }, () =>
      raw(`${head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n[1,`, slow),
    );
    assert.equal((await fetch(`${slow.url}/status`)).status, 200);
    for (const answer of [await bodiless, ...(await Promise.all(halved))]) {
      assert.deepEqual(answer, [408, 'api:request.timeout']);
    }
    await assertUnharmed();
  });

  it('holds no more of slow bodies than it has room for, until they are gone', async () => {
    const length = 256 * 1024;
    const head = `PUT ${THING}/attributes/x HTTP/1.1\r\nHost: localhost\r\n`;
    const rest = `Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
    const sockets = Array.from({ length: 150 }, () => open());
    const refused = Promise.any(sockets.map((socket) => once(socket, 'data')));
    for (const socket of sockets) socket.write(`${head}${rest}"${'x'.repeat(length - 10)}`);
    assert.match(String((await refused)[0]), /^HTTP\/1.1 503 .*api:bodies.toomany/s);
    await assertUnharmed();
    for (const socket of sockets) socket.destroy();
    while ((await put('[').catch(() => [503]))[0] === 503) await new Promise(setImmediate);
  });
});
