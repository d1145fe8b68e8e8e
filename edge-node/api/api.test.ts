import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { type HttpServer, serveHttp } from '#runtime/http/serve-http.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { fail } from '#shared/basics/result.ts';
import { anomalyScoreProperty, type Sample } from '#shared/twin/sample.ts';
import { Cluster } from '../ledger/ledger-cluster.fixture.ts';
import { TwinStore } from '../twins/twin-store.ts';
import { openAccess } from './api.fixture.ts';
import { createApi } from './api.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-api-'));
const clock = createManualClock(10_000);
const cluster = new Cluster(1);
let twins: TwinStore;
let server: HttpServer;

before(async () => {
  twins = new TwinStore(join(folder, 'twins.sqlite'), { group: 'lab', nowMs: 0 });
  const samples: Sample[] = [
    { property: 'environment/temperature', value: 27.5, timeMs: 8000 },
    { property: 'environment/humidity', value: null, timeMs: 8000 },
    { property: anomalyScoreProperty, value: 0.25, timeMs: 7000 },
  ].map((sample, index) => ({ ...sample, sequence: index + 1, quality: 'ok' }));
  const message = { epoch: '0123456789abcdef', available: 1, samples };
  twins.commit([{ device: 'mote-1', message }], 9000);
  const units = { 'environment/temperature': 'Cel' };
  twins.change('mote-1', { kind: 'presence', online: true, units, nowMs: 9000 });
  const commands = { send: () => fail('too-many-commands', 'no device in this test') };
  const app = createApi({
    twins,
    ledger: cluster.start(0).ledger,
    commands,
    group: 'lab',
    twinsMax: 4,
    clock,
    events: createEvents(silentLog, clock),
    access: openAccess(),
    status: () => ({ node: 'edge-1' }),
  });
  server = await serveHttp(app.fetch, { host: '127.0.0.1', port: 0 });
});

after(async () => {
  await server[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  twins[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

async function call(path: string, init?: RequestInit) {
  const response = await fetch(`${server.url}${path}`, init);
  const text = await response.text();
  const body = (text === '' ? null : JSON.parse(text)) as never;
  return { status: response.status, headers: response.headers, body };
}

const put = (body: string, type = 'application/json') => ({
  method: 'PUT',
  body,
  headers: { 'content-type': type },
});

describe('HTTP API', () => {
  it('lists the twins', async () => {
    const { status, body } = await call('/api/2/things');
    assert.equal(status, 200);
    assert.deepEqual(
      (body as { thingId: string }[]).map(({ thingId }) => thingId),
      ['lab:mote-1'],
    );
  });

  it('shows one with its properties, age and anomaly score', async () => {
    const { body, headers } = await call('/api/2/things/lab:mote-1');
    assert.deepEqual(body, {
      thingId: 'lab:mote-1',
      attributes: {},
      features: {
        environment: { properties: { temperature: 27.5, humidity: null } },
        forecast: { properties: { 'anomaly-score': 0.25 } },
      },
      _revision: 2,
      _created: '1970-01-01T00:00:09.000Z',
      _modified: '1970-01-01T00:00:09.000Z',
      _metadata: {
        features: {
          environment: {
            properties: {
              temperature: {
                time: '1970-01-01T00:00:08.000Z',
                ageMs: 2000,
                quality: 'ok',
                unit: 'Cel',
              },
              humidity: { time: '1970-01-01T00:00:08.000Z', ageMs: 2000, quality: 'ok' },
            },
          },
          forecast: {
            properties: {
              'anomaly-score': { time: '1970-01-01T00:00:07.000Z', ageMs: 3000, quality: 'ok' },
            },
          },
        },
      },
      online: true,
      ageMs: 2000,
      anomalyScore: 0.25,
    });
    assert.equal(headers.get('etag'), '"rev:2"');
  });

  it('shows a feature whatever its name is', async () => {
    const measured = { timeMs: 0, value: 1, quality: 'ok' as const };
    const samples: Sample[] = [{ sequence: 1, property: 'constructor/speed', ...measured }];
    const message = { epoch: '0123456789abcdef', available: 1, samples };
    twins.commit([{ device: 'mote-2', message }], 0);
    const { status, body } = await call('/api/2/things');
    assert.equal(status, 200);
    const [, thing] = body as { features: unknown }[];
    assert.deepEqual(thing?.features, { constructor: { properties: { speed: 1 } } });
  });

  it('shows the state of the node', async () => {
    assert.deepEqual((await call('/status')).body, { node: 'edge-1' });
  });

  it('takes attributes', async () => {
    const path = '/api/2/things/lab:mote-1/attributes';
    assert.equal((await call(path, put('{"room":"5.31"}'))).status, 204);
    assert.deepEqual((await call(path)).body, { room: '5.31' });
  });

  for (const [name, path, init, status, error] of [
    ['an unknown path', '/api/3/things', {}, 404, 'api:path.notfound'],
    ['an unknown thing', '/api/2/things/lab:mote-9', {}, 404, 'things:thing.notfound'],
    ['a thing of another group', '/api/2/things/x:mote-1', {}, 404, 'things:thing.notfound'],
    ['an unknown method', '/api/2/things', { method: 'DELETE' }, 405, 'api:method.notallowed'],
    ['a broken body', '/api/2/things/lab:mote-1/attributes', put('{"a":'), 400, 'json:invalid'],
    [
      'a body that is no object',
      '/api/2/things/lab:mote-1/attributes',
      put('[1]'),
      400,
      'things:thing.invalid',
    ],
    [
      'a body nested without end',
      '/api/2/things/lab:mote-1/attributes',
      put(`{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`),
      400,
      'json:invalid',
    ],
    [
      'a body nested deeper than is sure to be stored',
      '/api/2/things/lab:mote-1/attributes',
      put(`{"a":${'['.repeat(64)}${']'.repeat(64)}}`),
      400,
      'json:invalid',
    ],
    [
      'a body too large',
      '/api/2/things/lab:mote-1/attributes',
      put(`{"a":"${'x'.repeat(300_000)}"}`),
      413,
      'api:body.toolarge',
    ],
    [
      'a body of another type',
      '/api/2/things/lab:mote-1/attributes',
      put('a=1', 'application/x-www-form-urlencoded'),
      415,
      'api:mediatype.unsupported',
    ],
  ] as const) {
    it(`answers ${name} with a code and the mend`, async () => {
      const answer = await call(path, init);
      const body = answer.body as Record<string, unknown>;
      assert.equal(answer.status, status);
      assert.equal(body.status, status);
      assert.equal(body.error, error);
      assert.ok(typeof body.message === 'string' && typeof body.description === 'string');
    });
  }

  it('answers nobody who comes by way of a foreign page or name', async () => {
    const origin = { headers: { Origin: 'http://elsewhere.example' }, method: 'POST' };
    const message = await call('/api/2/things/lab:mote-1/inbox/messages/open', origin);
    assert.deepEqual(
      [message.status, (message.body as { error: string }).error],
      [403, 'api:source.foreign'],
    );
    const own = await call('/status', { headers: { Origin: server.url } });
    assert.equal(own.status, 200);
    const status = await new Promise((resolve, reject) => {
      const headers = { Host: 'elsewhere.example' };
      get(`${server.url}/status`, { headers }, (response) => resolve(response.statusCode)).on(
        'error',
        reject,
      );
    });
    assert.equal(status, 403);
  });

  it('says when its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as { port: number };
    await assert.rejects(
      serveHttp(() => new Response(), { host: '127.0.0.1', port }),
      {
        code: 'port-taken',
        exit: 78,
      },
    );
    other.close();
  });
});
