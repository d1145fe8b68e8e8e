import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import type { HttpServer } from '#runtime/http/serve-http.ts';
import { TwinStore } from '../twins/twin-store.ts';
import { serveTwins } from './api.fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-things-api-'));
const clock = createManualClock(1_000_000);
const twins = new TwinStore(join(folder, 'twins.sqlite'), { group: 'lab', nowMs: 0 });
let server: HttpServer;
let things = 0;
/** Path of the thing of the test at hand; it reported one property, and has revision 1. */
let path = '';
let device = '';

before(async () => {
  server = await serveTwins({ twins, clock });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  twins[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  device = `mote-${++things}`;
  path = `/api/2/things/lab:${device}`;
  report(1, 20);
});

function report(sequence: number, value: number, timeMs = 1000 * sequence) {
  const sample = { sequence, property: 'env/t', timeMs, value, quality: 'ok' as const };
  const message = { epoch: '0123456789abcdef', available: 1, samples: [sample] };
  twins.commit([{ device, message }], clock.nowMs());
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
  readonly error: unknown;
}

async function call(method: string, url: string, options: CallOptions = {}): Promise<Answer> {
  const { body, type = 'application/json', headers = {} } = options;
  const response = await fetch(`${server.url}${url}`, {
    method,
    headers: body === undefined ? headers : { 'Content-Type': type, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  const parsed: unknown = text === '' ? undefined : JSON.parse(text);
  const { error } = (parsed ?? {}) as { error?: unknown };
  return { status: response.status, headers: response.headers, body: parsed, error };
}

interface CallOptions {
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly type?: string;
}

const get = (url: string, headers = {}) => call('GET', url, { headers });
const put = (url: string, value: unknown, headers = {}) =>
  call('PUT', url, { headers, body: JSON.stringify(value) });
const patch = (url: string, value: unknown, type = 'application/merge-patch+json') =>
  call('PATCH', url, { type, body: JSON.stringify(value) });

describe('HTTP API, things', () => {
  it('puts, reads, merges and deletes at every path, and says which revision', async () => {
    const created = await put(`${path}/attributes/place`, { room: 1, floor: 2 });
    assert.equal(created.status, 201);
    assert.equal(created.headers.get('etag'), '"rev:2"');
    assert.equal(created.headers.get('location'), `${path}/attributes/place`);
    assert.equal((await patch(`${path}/attributes`, { place: { floor: null } })).status, 204);
    assert.deepEqual((await get(`${path}/attributes/place`)).body, { room: 1 });
    assert.equal((await put(`${path}/features/led/desiredProperties/on`, true)).status, 201);
    assert.deepEqual((await get(`${path}/features/led`)).body, { desiredProperties: { on: true } });
    assert.deepEqual((await get(`${path}/features/env/properties/t`)).body, 20);
    assert.equal((await call('DELETE', `${path}/features/led`)).status, 204);
    assert.equal((await get(`${path}/features/led`)).error, 'things:feature.notfound');
    assert.equal((await put(`${path}/definition`, 'lab:mote:1')).status, 201);
    assert.equal((await call('DELETE', path)).status, 204);
    assert.equal((await get(path)).error, 'things:thing.notfound');
  });

  it('makes a thing, and takes back what it gave, without what is not content', async () => {
    const url = '/api/2/things/lab:new-1';
    const made = await put(url, { policyId: 'a:b', attributes: { a: 1 } });
    assert.equal(made.status, 201);
    const { body } = await get(url);
    assert.equal('policyId' in (body as object), false);
    assert.equal((await put(url, body)).headers.get('etag'), '"rev:1"');
  });

  it('makes a thing under an id of its own', async () => {
    const post = (body: string) => call('POST', '/api/2/things', { body });
    const made = await post('{"attributes":{"a":1}}');
    const { thingId, attributes } = made.body as { thingId: string; attributes: object };
    assert.deepEqual([made.status, attributes], [201, { a: 1 }]);
    assert.equal(made.headers.get('location'), `/api/2/things/${thingId}`);
    assert.equal((await get(`/api/2/things/${thingId}`)).headers.get('etag'), '"rev:1"');
    assert.equal((await call('POST', '/api/2/things')).status, 201);
    assert.equal((await post(`{"thingId":"lab:${device}"}`)).error, 'things:id.notsettable');
    assert.equal((await post('[]')).error, 'things:thing.invalid');
  });

  it('says what can be done at a path', async () => {
    const options = await call('OPTIONS', `${path}/features/env`);
    const allowed = 'GET, PUT, PATCH, DELETE, HEAD, OPTIONS';
    assert.deepEqual([options.status, options.headers.get('allow')], [204, allowed]);
    const refused = await call('POST', `${path}/features/env`);
    assert.deepEqual([refused.status, refused.headers.get('allow')], [405, allowed]);
  });

  it('holds edits and reads to revisions', async () => {
    const seen = (await get(path)).headers.get('etag')!;
    assert.equal((await get(path, { 'If-None-Match': seen })).status, 304);
    assert.equal((await get(path, { 'If-Match': '"rev:99"' })).status, 412);
    const attributes = `${path}/attributes/x`;
    assert.equal((await put(attributes, 1, { 'If-Match': '*' })).status, 412);
    assert.equal((await put(attributes, 1, { 'If-None-Match': '*' })).status, 201);
    assert.equal((await put(attributes, 2, { 'If-None-Match': '*' })).status, 412);
    assert.equal((await put(attributes, 2, { 'If-Match': seen })).status, 412);
    assert.equal((await put(attributes, 2, { 'If-Match': '"rev:7", "rev:2"' })).status, 204);
    assert.deepEqual((await get(attributes)).body, 2);
  });

  it('holds edits and reads to conditions', async () => {
    const query = (rql: string) => `${path}/attributes/x?condition=${encodeURIComponent(rql)}`;
    assert.equal((await put(query('gt(features/env/properties/t,20)'), 1)).status, 412);
    assert.equal((await put(query('eq(features/env/properties/t,20)'), 1)).status, 201);
    assert.equal((await get(query('eq(attributes/x,2)'))).status, 304);
    assert.equal((await get(query('eq(attributes/x,1)'))).body, 1);
  });

  it('lets only who names the revision write over what the device reported', async () => {
    const url = `${path}/features/env/properties/t`;
    const refused = await put(url, 5);
    assert.deepEqual([refused.status, refused.error], [428, 'things:override.needsrevision']);
    const named = { 'If-Match': '"rev:1"', 'X-Diten-By': 'ann' };
    assert.equal((await put(url, 5, named)).status, 204);
    const { body } = await get(`${path}?fields=_metadata/features/env/properties/t/writtenBy`);
    assert.match(JSON.stringify(body), /"writtenBy":"ann"/);
  });

  it('shows the fields that are asked for, of one, some and found things', async () => {
    const fields = 'fields=thingId,features/*/properties/t';
    const shown = { thingId: `lab:${device}`, features: { env: { properties: { t: 20 } } } };
    assert.deepEqual((await get(`${path}?${fields}`)).body, shown);
    const listed = await get(`/api/2/things?ids=lab:nobody,lab:${device},other:x&${fields}`);
    assert.deepEqual(listed.body, [shown]);
    const filter = encodeURIComponent(`eq(thingId,"lab:${device}")`);
    const found = await get(`/api/2/search/things?filter=${filter}&${fields}`);
    assert.deepEqual(found.body, { items: [shown] });
  });

  it('finds what was just written, counts, and pages', async () => {
    await put(`${path}/attributes/mark`, device);
    const filter = encodeURIComponent(`eq(attributes/mark,"${device}")`);
    assert.equal((await get(`/api/2/search/things/count?filter=${filter}`)).body, 1);
    const ids: string[] = [];
    let option = 'size(2),sort(-thingId)';
    for (;;) {
      const answer = await get(`/api/2/search/things?fields=thingId&option=${option}`);
      const page = answer.body as { items: { thingId: string }[]; cursor?: string };
      ids.push(...page.items.map(({ thingId }) => thingId));
      if (page.cursor === undefined) break;
      option = `size(2),sort(-thingId),cursor(${page.cursor})`;
    }
    assert.deepEqual(
      ids,
      twins
        .all()
        .map(({ thingId }) => thingId)
        .reverse(),
    );
  });

  it('shows the thing as it was, by revision and by time, also once deleted', async () => {
    clock.advance(1000);
    report(2, 21);
    clock.advance(1000);
    await call('DELETE', path);
    const property = `${path}/features/env/properties/t`;
    const was = await get(`${property}?at-historical-revision=1`);
    assert.deepEqual([was.body, was.headers.get('etag')], [20, '"rev:1"']);
    const time = new Date(clock.nowMs() - 500).toISOString();
    assert.equal((await get(`${property}?at-historical-timestamp=${time}`)).body, 21);
    assert.equal((await get(`${path}?at-historical-revision=3`)).status, 404);
    const early = await get(`${path}?at-historical-timestamp=1`);
    assert.equal(early.error, 'things:thing.history.notfound');
  });

  it('gives series, point by point and summed up', async () => {
    for (let n = 2; n <= 10; n++) report(n, n);
    const series = `${path}/features/env/timeseries/t`;
    const points = (await get(`${series}?from=9000&to=10001`)).body as { data: unknown };
    assert.deepEqual(points.data, [
      { time: '1970-01-01T00:00:09.000Z', value: 9 },
      { time: '1970-01-01T00:00:10.000Z', value: 10 },
    ]);
    const summed = await get(`${series}?from=1970-01-01T00:00:05Z&to=9000&step=2s&agg=max,count`);
    assert.deepEqual((summed.body as { data: unknown }).data, [
      { time: '1970-01-01T00:00:04.000Z', max: 5, count: 1 },
      { time: '1970-01-01T00:00:06.000Z', max: 7, count: 2 },
      { time: '1970-01-01T00:00:08.000Z', max: 8, count: 1 },
    ]);
  });

  it('says what is desired, how far it has come, and why', async () => {
    await put(`${path}/features/led/desiredProperties/on`, true, { 'X-Diten-By': 'ann' });
    const [delta] = (await get(`${path}/delta`)).body as Record<string, unknown>[];
    assert.deepEqual([delta?.path, delta?.state, delta?.version], ['led/on', 'unseen', 1]);
    const [why] = (await get(`${path}/why`)).body as { reasons: { code: string }[] }[];
    assert.deepEqual(
      why?.reasons.map(({ code }) => code),
      ['offline', 'unseen'],
    );
  });

  const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const refusals: [string, () => Promise<Answer>, number, string][] = [
    [
      'a bad RQL filter',
      () => get('/api/2/search/things?filter=eq(a'),
      400,
      'rql.expression.invalid',
    ],
    ['a bad condition', () => get(`${path}?condition=x`), 400, 'rql.expression.invalid'],
    ['bad fields', () => get(`${path}?fields=a(`), 400, 'api:fields.invalid'],
    ['bad options', () => get('/api/2/search/things?option=size(0)'), 400, 'api:option.invalid'],
    ['a bad tag', () => get(path, { 'If-Match': 'abc' }), 400, 'api:header.invalid'],
    [
      'a bad editor',
      () => put(`${path}/attributes`, {}, { 'X-Diten-By': 'device' }),
      400,
      'api:header.invalid',
    ],
    [
      'a bad event id',
      () => get(path, { Accept: 'text/event-stream', 'Last-Event-ID': 'x' }),
      400,
      'api:header.invalid',
    ],
    ['a long URL', () => get(`${path}?fields=${'a'.repeat(9000)}`), 414, 'api:uri.toolong'],
    ['two slashes', () => get(`${path}/attributes//x`), 400, 'json:pointer.invalid'],
    ['a slash in a key', () => get(`${path}/attributes/a%2Fb`), 400, 'json:pointer.invalid'],
    ['a broken escape', () => get(`${path}/attributes/%zz`), 400, 'json:pointer.invalid'],
    [
      'a path without end',
      () => put(`${path}/attributes${'/a'.repeat(40)}`, 1),
      400,
      'json:pointer.invalid',
    ],
    ['another part of a thing', () => get(`${path}/policy`), 404, 'api:path.notfound'],
    [
      'a JSON bomb',
      () =>
        put(
          `${path}/attributes/x`,
          Array.from({ length: 20_000 }, () => 0),
        ),
      413,
      'things:thing.toolarge',
    ],
    [
      'deep nesting',
      () => call('PUT', `${path}/attributes/x`, { body: deep(100_000) }),
      400,
      'json:invalid',
    ],
    [
      'a prototype',
      () => call('PUT', `${path}/attributes`, { body: '{"__proto__":1}' }),
      400,
      'json:invalid',
    ],
    ['an unknown member', () => put(path, { nothing: 1 }), 400, 'things:thing.invalid'],
    ['a wrong shape', () => put(`${path}/features/a/properties`, 3), 400, 'things:thing.invalid'],
    [
      'a patch by pattern',
      () => patch(`${path}/attributes`, { '{{ ~.*~ }}': null }),
      400,
      'json:invalid',
    ],
    [
      'a patch of another type',
      () => patch(path, {}, 'application/json'),
      415,
      'api:mediatype.unsupported',
    ],
    ['a thing of another group', () => put('/api/2/things/other:x', {}), 400, 'things:id.invalid'],
    [
      'a name no device has',
      () => put('/api/2/things/lab:Not%20One', {}),
      400,
      'things:id.invalid',
    ],
    [
      'an edit of no thing',
      () => put('/api/2/things/lab:none/attributes', {}),
      404,
      'things:thing.notfound',
    ],
    [
      'a delete of nothing',
      () => call('DELETE', `${path}/attributes/none`),
      404,
      'things:attribute.notfound',
    ],
    [
      'a bad time',
      () => get(`${path}?at-historical-timestamp=soon`),
      400,
      'api:at-historical-timestamp.invalid',
    ],
    [
      'a bad step',
      () => get(`${path}/features/env/timeseries/t?step=long`),
      400,
      'api:step.invalid',
    ],
    [
      'a bad aggregate',
      () => get(`${path}/features/env/timeseries/t?agg=sum`),
      400,
      'api:agg.invalid',
    ],
    [
      'an empty range',
      () => get(`${path}/features/env/timeseries/t?from=9&to=8&step=1s`),
      400,
      'api:range.invalid',
    ],
    [
      'a series without end',
      () => get(`${path}/features/env/timeseries/t?from=0&to=99999999&step=1ms`),
      400,
      'things:timeseries.toolong',
    ],
    [
      'a message to nobody',
      () => call('POST', '/api/2/things/lab:none/inbox/messages/x'),
      404,
      'things:thing.notfound',
    ],
    [
      'a wait without end',
      () => call('POST', `${path}/inbox/messages/x?timeout=9h`),
      400,
      'api:timeout.invalid',
    ],
    ['too many messages', () => call('POST', `${path}/inbox/messages/x`), 429, 'messages:toomany'],
    ['a method without sense', () => call('POST', path), 405, 'api:method.notallowed'],
  ];
  for (const [name, request, status, error] of refusals) {
    it(`refuses ${name} with a code and the mend, and changes nothing`, async () => {
      const answer = await request();
      const { message, description } = answer.body as Record<string, unknown>;
      assert.deepEqual([answer.status, answer.error], [status, error]);
      assert.ok(typeof message === 'string' && typeof description === 'string');
      assert.equal(twins.get(device)?.revision, 1);
    });
  }

  it('makes no more things than it may hold', async () => {
    const statuses = new Set<number>();
    for (let n = twins.size; n < 101; n++) {
      statuses.add((await put(`/api/2/things/lab:many-${n}`, {})).status);
    }
    assert.deepEqual([...statuses], [201, 507]);
    assert.equal(twins.size, 100);
  });
});
