import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import type { HttpServer } from '#runtime/http/serve-http.ts';
import { ok } from '#shared/basics/result.ts';
import { Cluster } from '../ledger/ledger-cluster.fixture.ts';
import { TwinStore } from '../twins/twin-store.ts';
import { apiOptions, serveTwins } from './api.fixture.ts';
import { methods } from './route.ts';
import { routesOf } from './route-table.ts';

const clock = createManualClock(5000);
const twins = new TwinStore(':memory:', { group: 'lab', nowMs: 0 });
const cluster = new Cluster(1);
const commands = {
  send: () => ok(Promise.resolve({ v: 1, id: '12345678', status: 200, payload: {} } as const)),
};
const options = apiOptions({ twins, clock, ledger: cluster.start(0).ledger, commands });
let server: HttpServer;
let document: Document;
let sequence = 0;

interface Document {
  readonly paths: Record<string, Record<string, { operationId?: string }>>;
}

/** What stands for the parameters of paths. */
const examples: Record<string, string> = {
  thingId: 'lab:mote-1',
  attributePath: 'place/room',
  featureId: 'env',
  propertyPath: 't',
  propertyId: 't',
  subject: 'set/level',
  keyId: 'a'.repeat(64),
};

before(async () => {
  server = await serveTwins(options);
  document = (await (await fetch(`${server.url}/openapi.json`)).json()) as Document;
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  twins[Symbol.dispose]();
});

function fill(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    assert.ok(examples[name], `an example of ${name}`);
    return examples[name];
  });
}

/** The thing that the paths lead to, whatever was made of it. */
async function makeThing() {
  const feature = { definition: ['a:b:1'], properties: { t: 1 }, desiredProperties: { t: 2 } };
  const thing = {
    definition: 'a:b:1',
    attributes: { place: { room: 1 } },
    features: { env: feature },
  };
  const headers = { 'Content-Type': 'application/json' };
  const body = JSON.stringify(thing);
  await fetch(`${server.url}/api/2/things/lab:mote-1`, { method: 'PUT', headers, body });
  // What is predicted of a property follows from what its device reported.
  sequence += 1;
  const sample = { property: 'env/t', timeMs: sequence, value: 1, quality: 'ok' } as const;
  const samples = [{ ...sample, sequence }];
  const message = { epoch: '0123456789abcdef', available: sequence, samples };
  twins.commit([{ device: 'mote-1', message }], 5000);
}

describe('the description of the HTTP API', { timeout: 60_000 }, () => {
  it('is OpenAPI 3.1', async () => {
    const answer = await new Validator().validate(structuredClone(document) as never);
    assert.deepEqual(answer, { valid: true });
    const ids = Object.values(document.paths).flatMap((path) =>
      Object.values(path).flatMap(({ operationId }) => operationId ?? []),
    );
    assert.equal(new Set(ids).size, ids.length);
  });

  it('names every path, and what can be done there and what cannot', async () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      const url = `${server.url}${fill(path)}`;
      for (const method of [...methods, 'OPTIONS']) {
        await makeThing();
        const { status, headers } = await fetch(url, { method });
        const isNamed = method === 'OPTIONS' || operations[method.toLowerCase()] !== undefined;
        assert.equal(status !== 405, isNamed, `${method} ${path}: ${status}`);
        assert.ok(status < 500, `${method} ${path}: ${status}`);
        if (method !== 'OPTIONS') continue;
        const allowed = (headers.get('Allow') ?? '').split(', ').map((each) => each.toLowerCase());
        const named = Object.keys(operations).filter((each) => each !== 'parameters');
        assert.deepEqual(allowed.filter((each) => named.includes(each)).sort(), named.sort());
      }
      const beside = await fetch(`${server.url}${fill(path)}-not`.replace('lab:mote-1', 'x'));
      assert.ok(beside.status === 404 || path.endsWith('}'), `${path}-not: ${beside.status}`);
    }
  });

  it('describes what is answered', async () => {
    await makeThing();
    for (const { path, operations } of routesOf(options)) {
      const operation = operations.GET;
      if (operation === undefined) continue;
      const url = `${server.url}${fill(path.replaceAll('+}', '}'))}`;
      const response = await fetch(path === '/api/2/relations' ? `${url}?to=lab:mote-1` : url);
      assert.equal(response.status, 200, path);
      const schema = Object.values(operation.answers[200]?.content ?? {})[0];
      assert.ok(schema, path);
      const parsed = schema.safeParse(await response.json());
      assert.ok(parsed.success, `${path}: ${parsed.error?.message}`);
      const head = await fetch(response.url, { method: 'HEAD' });
      assert.deepEqual([head.status, await head.text()], [200, '']);
      assert.equal(head.headers.get('ETag'), response.headers.get('ETag'));
    }
  });
});
