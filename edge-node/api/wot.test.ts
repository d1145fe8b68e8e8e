import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import type { HttpServer } from '#runtime/http/serve-http.ts';
import { ok } from '#shared/basics/result.ts';
import type { Sample } from '#shared/twin/sample.ts';
import { TwinStore } from '../twins/twin-store.ts';
import { serveTwins } from './api.fixture.ts';

const clock = createManualClock(5000);
const twins = new TwinStore(':memory:', { group: 'lab', nowMs: 0 });
const commands = {
  send: (_: string, { subject }: { subject: string }) =>
    ok(Promise.resolve({ v: 1, id: '12345678', status: 200, payload: subject } as const)),
};
let server: HttpServer;
let description: Description;

interface Form {
  readonly href: string;
  readonly op: string;
  readonly contentType: string;
  readonly subprotocol?: string;
}
interface Affordance {
  readonly forms: readonly Form[];
  readonly type?: string;
  readonly unit?: string;
  readonly readOnly?: boolean;
  readonly uriVariables?: Record<string, { type: string }>;
}
interface Description {
  readonly '@context': string;
  readonly id?: string;
  readonly title: string;
  readonly securityDefinitions: Record<string, { scheme: string }>;
  readonly security: string;
  readonly properties: Record<string, Affordance>;
  readonly actions?: Record<string, Affordance>;
  readonly events?: Record<string, Affordance>;
  readonly links: readonly { rel: string; href: string; type: string }[];
}

before(async () => {
  server = await serveTwins({ twins, clock, commands });
  const samples: Sample[] = [
    { sequence: 1, property: 'env/t', timeMs: 1, value: 20.5, quality: 'ok' },
    { sequence: 2, property: 'led/on', timeMs: 1, value: 0, quality: 'ok' },
  ];
  const message = { epoch: '0123456789abcdef', available: 1, samples };
  twins.commit([{ device: 'mote-1', message }], 5000);
  const units = { 'env/t': 'Cel' };
  twins.change('mote-1', { kind: 'presence', online: true, units, nowMs: 5000 });
  await put('features/led/desiredProperties/on', 1);
  await put('features/valve%20%C3%A4/desiredProperties/open', { angle: 3 });
  await put('attributes/relations', { controls: ['lab:lamp-1'] });
  description = await describeAt('/api/2/things/lab:mote-1');
});
after(async () => {
  await server[Symbol.asyncDispose]();
  twins[Symbol.dispose]();
});

function put(path: string, value: unknown, method = 'PUT'): Promise<Response> {
  const url = path.startsWith('http') ? path : `${server.url}/api/2/things/lab:mote-1/${path}`;
  const headers = { 'Content-Type': 'application/json' };
  return fetch(url, { method, headers, body: JSON.stringify(value) });
}

async function describeAt(path: string): Promise<Description> {
  const headers = { Accept: 'application/td+json' };
  const response = await fetch(`${server.url}${path}`, { headers });
  assert.equal(response.headers.get('Content-Type'), 'application/td+json');
  return (await response.json()) as Description;
}

/** What each kind of affordance may be used for (TD 1.1, 5.3.4.2). */
const operations = {
  properties: ['readproperty', 'writeproperty', 'observeproperty', 'unobserveproperty'],
  actions: ['invokeaction', 'queryaction', 'cancelaction'],
  events: ['subscribeevent', 'unsubscribeevent'],
} as const;
const types = ['boolean', 'integer', 'number', 'string', 'object', 'array', 'null'];

/** What TD 1.1 demands of every description (5.3 and 5.4). */
function assertSound(td: Description): void {
  assert.equal(td['@context'], 'https://www.w3.org/2022/wot/td/v1.1');
  assert.ok(td.title.length > 0);
  if (td.id !== undefined) assert.match(td.id, /^urn:[a-z0-9][a-z0-9-]{1,31}:\S+$/);
  assert.ok(Object.hasOwn(td.securityDefinitions, td.security));
  assert.ok(['nosec', 'bearer'].includes(td.securityDefinitions[td.security]!.scheme));
  for (const [kind, allowed] of Object.entries(operations)) {
    for (const { forms, type } of Object.values(td[kind as 'actions'] ?? {})) {
      assert.ok(forms.length > 0);
      assert.ok(type === undefined || types.includes(type));
      for (const { href, op, contentType } of forms) {
        assert.ok((allowed as readonly string[]).includes(op), `${op} among ${kind}`);
        assert.ok(URL.canParse(href.replaceAll(/\{.*?\}/g, 'x')));
        assert.match(contentType, /^[a-z]+\/[a-z+-]+$/);
      }
    }
  }
  for (const { href, rel } of td.links) assert.ok(URL.canParse(href) && rel.length > 0);
}

function formOf({ forms }: Affordance, op: string): Form {
  const found = forms.find((form) => form.op === op);
  assert.ok(found, op);
  return found;
}

describe('WoT descriptions', { timeout: 30_000 }, () => {
  it('keep the rules of TD 1.1', async () => {
    assertSound(description);
    assertSound(await describeAt('/.well-known/wot'));
    assert.equal(description.id, 'urn:diten:lab:mote-1');
    assert.equal(description.securityDefinitions[description.security]?.scheme, 'nosec');
  });

  it('name properties with the types and units of what was reported', () => {
    const shown = Object.entries(description.properties).map(([name, property]) => {
      const { type, unit, readOnly } = property;
      return [name, type, unit, readOnly];
    });
    assert.deepEqual(shown, [
      ['env/t', 'number', 'Cel', true],
      ['led/on', 'number', undefined, false],
      ['valve ä/open', 'object', undefined, false],
    ]);
  });

  it('have forms that do what they say', async () => {
    for (const property of Object.values(description.properties)) {
      const read = await fetch(formOf(property, 'readproperty').href);
      assert.equal(read.status, 200);
      assert.equal(typeof (await read.json()), property.type);
      if (property.readOnly) continue;
      const written = property.type === 'number' ? 7 : { angle: 4 };
      assert.equal((await put(formOf(property, 'writeproperty').href, written)).status, 204);
    }
    assert.equal(twins.get('mote-1')?.features.led?.desired.on?.value, 7);

    const command = description.actions!.command!;
    const { href } = formOf(command, 'invokeaction');
    for (const name of Object.keys(command.uriVariables!)) assert.ok(href.includes(name));
    const url = href.replace('{subject}', 'blink').replace('{?timeout}', '?timeout=5s');
    assert.equal(await (await put(url, null, 'POST')).json(), 'blink');
  });

  it('have streams of what changes', async () => {
    const observed = formOf(description.properties['env/t']!, 'observeproperty');
    const changed = formOf(description.events!.changed!, 'subscribeevent');
    for (const { href, subprotocol, contentType } of [observed, changed]) {
      assert.equal(subprotocol, 'sse');
      const abort = new AbortController();
      const headers = { Accept: contentType };
      const response = await fetch(href, { headers, signal: abort.signal });
      assert.equal(response.headers.get('Content-Type'), 'text/event-stream');
      abort.abort();
    }
  });

  it('link what belongs together', async () => {
    const hrefs = (td: Description, rel: string) =>
      td.links.filter((link) => link.rel === rel).map(({ href }) => href);
    const [collection] = hrefs(description, 'collection');
    const items = hrefs(await describeAt(new URL(collection!).pathname), 'item');
    assert.deepEqual(items, [`${server.url}/api/2/things/lab:mote-1`]);
    assert.deepEqual(hrefs(description, 'urn:diten:relation:controls'), [
      `${server.url}/api/2/things/lab:lamp-1`,
    ]);
  });
});
