import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { openDatabase } from '#runtime/database/database.ts';
import type { HttpServer } from '#runtime/http/serve-http.ts';
import { twinSchema } from '../twins/twin-schema.ts';
import { TwinStore } from '../twins/twin-store.ts';
import { serveTwins } from './api.fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-streams-'));
const clock = createManualClock(5000);
const twins = new TwinStore(join(folder, 'twins.sqlite'), { group: 'lab', nowMs: 0 });
let server: HttpServer;

before(async () => {
  server = await serveTwins({ twins, clock });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  twins[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

let sequence = 0;
function report(device: string, value: number) {
  const sample = {
    sequence: ++sequence,
    property: 'env/t',
    timeMs: 0,
    value,
    quality: 'ok' as const,
  };
  const message = { epoch: '0123456789abcdef', available: sequence, samples: [sample] };
  twins.commit([{ device, message }], clock.nowMs());
}

interface StreamEvent {
  readonly id: string;
  readonly data: unknown;
}

/** Opens a stream and reads its events one by one. */
async function watch(path: string, lastEventId?: number) {
  const abort = new AbortController();
  const last = lastEventId === undefined ? {} : { 'Last-Event-ID': String(lastEventId) };
  const headers = { Accept: 'text/event-stream', ...last } as Record<string, string>;
  const response = await fetch(`${server.url}${path}`, { headers, signal: abort.signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const next = async (): Promise<StreamEvent | undefined> => {
    for (;;) {
      const end = text.indexOf('\n\n');
      if (end >= 0) {
        const [, id, data] = /^id:(.*)\ndata:(.*)$/.exec(text.slice(0, end)) ?? [];
        text = text.slice(end + 2);
        if (id !== undefined) return { id, data: JSON.parse(data!) };
        continue;
      }
      const { done, value } = await reader.read();
      if (done) return undefined;
      text += value;
    }
  };
  return { response, next, [Symbol.dispose]: () => abort.abort() };
}

const patch = (device: string, revision: number, rest: object) => ({
  thingId: `lab:${device}`,
  _revision: revision,
  _modified: '1970-01-01T00:00:05.000Z',
  ...rest,
});
const env = (t: number) => ({ features: { env: { properties: { t } } } });

describe('HTTP API, streams', { timeout: 30_000 }, () => {
  it('sends what becomes of one thing, from now on', async () => {
    report('one', 1);
    using stream = await watch('/api/2/things/lab:one');
    assert.equal(stream.response.headers.get('content-type'), 'text/event-stream');
    const first = stream.next();
    report('other', 1);
    report('one', 2);
    assert.deepEqual(await first, { id: '2', data: patch('one', 2, { ...env(2), _by: 'device' }) });
    const edit = { op: 'delete', path: '' } as const;
    twins.change('one', { kind: 'edited', nowMs: clock.nowMs(), by: 'ann', edit });
    const deleted = await stream.next();
    assert.deepEqual(deleted?.data, patch('one', 3, { _by: 'ann', _deleted: true }));
  });

  it('goes on behind the event that was seen last, without a gap', async () => {
    for (let value = 1; value <= 250; value++) report('two', value);
    using stream = await watch('/api/2/things/lab:two/features/env/properties/t', 3);
    const seen: unknown[] = [];
    while (seen.length < 247) seen.push(await stream.next());
    assert.deepEqual(
      seen,
      Array.from({ length: 247 }, (_, index) => ({ id: String(index + 4), data: index + 4 })),
    );
  });

  it('ends with the revision that was asked for', async () => {
    for (let value = 1; value <= 4; value++) report('three', value);
    const query = 'from-historical-revision=2&to-historical-revision=3';
    using stream = await watch(`/api/2/things/lab:three?${query}`);
    const ids = [(await stream.next())?.id, (await stream.next())?.id, await stream.next()];
    assert.deepEqual(ids, ['2', '3', undefined]);
  });

  it('sends a thing whole to a reader who saw what is not kept', async () => {
    report('four', 9);
    using stream = await watch('/api/2/things/lab:four?fields=thingId,features', 99);
    assert.deepEqual(await stream.next(), { id: '1', data: { thingId: 'lab:four', ...env(9) } });
    report('four', 10);
    assert.deepEqual((await stream.next())?.id, '2');
  });

  it('does the same where the revisions in between were dropped', async () => {
    for (let value = 1; value <= 5; value++) report('nine', value);
    const database = openDatabase(join(folder, 'twins.sqlite'), twinSchema);
    database.exec("DELETE FROM revisions WHERE device = 'nine' AND revision < 4");
    database.close();
    using stream = await watch('/api/2/things/lab:nine/features', 1);
    assert.deepEqual(await stream.next(), { id: '5', data: env(5).features });
  });

  it('sends what becomes of some things and of all, with places to go on from', async () => {
    using some = await watch('/api/2/things?ids=lab:five,lab:six&fields=thingId');
    using all = await watch('/api/2/things?fields=thingId');
    report('five', 1);
    report('seven', 1);
    report('six', 1);
    const five = await some.next();
    assert.deepEqual(five?.data, { thingId: 'lab:five' });
    assert.deepEqual((await some.next())?.data, { thingId: 'lab:six' });
    const seen = [await all.next(), await all.next(), await all.next()];
    assert.deepEqual(
      seen.map((each) => (each!.data as { thingId: string }).thingId.slice(4)),
      ['five', 'seven', 'six'],
    );
    using later = await watch('/api/2/things?fields=thingId', Number(five?.id));
    assert.deepEqual((await later.next())?.data, { thingId: 'lab:seven' });
  });

  it('sends events of which the filter holds, of the namespaces that are asked for', async () => {
    const above = encodeURIComponent('gt(features/env/properties/t,5)');
    report('ten', 1);
    using one = await watch(`/api/2/things/lab:ten?filter=${above}&fields=features`);
    using all = await watch(`/api/2/things?namespaces=x,lab&filter=${above}&fields=thingId`);
    using none = await watch(`/api/2/things?namespaces=x`);
    for (const value of [4, 6, 5, 7]) report('ten', value);
    assert.deepEqual([(await one.next())?.data, (await one.next())?.data], [env(6), env(7)]);
    assert.deepEqual((await all.next())?.data, { thingId: 'lab:ten' });
    const silent = await Promise.race([none.next(), all.next()]);
    assert.deepEqual(silent?.data, { thingId: 'lab:ten' });
  });

  it('cuts a reader off who takes nothing, and keeps nothing for it meanwhile', async () => {
    const { port } = new URL(server.url);
    const socket = connect({ host: '127.0.0.1', port: Number(port) });
    socket.on('error', () => undefined);
    const accept = 'Accept: text/event-stream\r\n';
    socket.write(`GET /api/2/things/lab:slow HTTP/1.1\r\nHost: localhost\r\n${accept}\r\n`);
    report('slow', 0);
    const put = (n: number) => {
      const value = Array.from({ length: 40 }, () => 'x'.repeat(2000) + n);
      const edit = { op: 'put', path: 'attributes/large', value } as const;
      twins.change('slow', { kind: 'edited', nowMs: clock.nowMs(), by: 'ann', edit });
    };
    await fetch(`${server.url}/status`);
    socket.pause();
    for (let n = 0; n < 120; n++) {
      put(n);
      await new Promise(setImmediate);
    }
    for (let beats = 0; beats < 8; beats++) {
      await fetch(`${server.url}/status`); // lets the sockets' turn come
      clock.advance(15_000);
    }
    socket.resume();
    await once(socket, 'close');
  });

  it('takes so many readers and no more, and others when they go', async () => {
    const path = '/api/2/things';
    await until(async () => (await open(path)) === 64);
    await until(async () => (await open(path)) === 64);
  });
});

/** How many streams can be open at a time; all are closed again. */
async function open(path: string): Promise<number> {
  using streams = new DisposableStack();
  for (let count = 0; ; count++) {
    const stream = streams.use(await watch(path));
    if (stream.response.status === 503) return count;
    assert.equal(stream.response.status, 200);
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(setImmediate);
}
