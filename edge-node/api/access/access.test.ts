import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { type HttpServer, serveHttp } from '#runtime/http/serve-http.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { TwinStore } from '../../twins/twin-store.ts';
import { serveTwins } from '../api.fixture.ts';
import { Access } from './access.ts';
import { addToken, readTokens, removeToken } from './token-file.ts';

const events = createEvents(silentLog, clock);
const path = '/api/2/things/lab:mote-1';

describe('access to the HTTP API', () => {
  let folder: string;
  let file: string;
  let twins: TwinStore;
  let parts: AsyncDisposableStack;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'diten-access-'));
    file = join(folder, 'tokens.json');
    parts = new AsyncDisposableStack();
    twins = parts.use(new TwinStore(':memory:', { group: 'lab', nowMs: 0 }));
  });
  afterEach(async () => {
    await parts.disposeAsync();
    rmSync(folder, { recursive: true });
  });

  async function serve(isOpen: boolean): Promise<HttpServer> {
    const access = new Access({ tokens: file, isOpen, events });
    return parts.use(await serveTwins({ twins, clock, access }));
  }

  function make(name: string, role: 'read' | 'write'): string {
    const made = addToken(file, { name, role, nowMs: 0 });
    assert.ok(made.ok);
    return made.value;
  }

  async function call(server: HttpServer, method: string, headers: Record<string, string> = {}) {
    const body = method === 'PUT' ? { body: '{}' } : {};
    const type = method === 'PUT' ? { 'Content-Type': 'application/json' } : {};
    const init = { method, headers: { ...type, ...headers }, ...body };
    const response = await fetch(`${server.url}${method === 'PUT' ? path : '/status'}`, init);
    const { error } = (await response.json().catch(() => ({}))) as { error?: string };
    return [response.status, error, response.headers.get('WWW-Authenticate')];
  }
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
  const basic = (name: string, token: string) => ({
    Authorization: `Basic ${Buffer.from(`${name}:${token}`).toString('base64')}`,
  });
  const unknown = [401, 'api:token.required', 'Bearer realm="diten"'];

  it('asks for a token where it is not open, and lets each do what it may', async () => {
    const server = await serve(false);
    assert.deepEqual(await call(server, 'GET'), unknown);
    const [ann, eve] = [make('ann', 'write'), make('eve', 'read')];
    assert.equal((await call(server, 'GET', bearer(eve)))[0], 200);
    assert.deepEqual((await call(server, 'PUT', bearer(eve))).slice(0, 2), [
      403,
      'api:role.insufficient',
    ]);
    assert.equal(twins.get('mote-1'), undefined);
    assert.equal((await call(server, 'PUT', basic('ann', ann)))[0], 201);
    for (const wrong of [bearer(`${ann}x`), basic('eve', ann), { Authorization: ann }]) {
      assert.deepEqual(await call(server, 'GET', wrong), unknown);
    }
    removeToken(file, 'ann');
    assert.deepEqual(await call(server, 'PUT', bearer(ann)), unknown);
  });

  it("writes the token's name into the history, whatever the client says", async () => {
    const server = await serve(false);
    await call(server, 'PUT', { ...bearer(make('ann', 'write')), 'X-Diten-By': 'bob' });
    assert.equal(twins.history.ofThing('mote-1', 0, 1)[0]?.by, 'ann');
  });

  it('asks nobody on loopback, but holds a token against those there are', async () => {
    const server = await serve(true);
    assert.equal((await call(server, 'GET', basic('ditto', 'ditto')))[0], 200);
    make('ann', 'read');
    assert.equal((await call(server, 'GET'))[0], 200);
    assert.deepEqual(await call(server, 'GET', basic('ditto', 'ditto')), unknown);
  });

  it('answers under any name to who has a token, and to no page that has none', async () => {
    const open = await serve(true);
    const closed = await serve(false);
    const token = make('ann', 'read');
    const ask = (server: HttpServer, headers: Record<string, string>) =>
      new Promise((resolve, reject) => {
        const given = { Host: 'twins.example', ...headers };
        request(`${server.url}/status`, { headers: given }, (response) => {
          resolve(response.statusCode);
          response.resume();
        })
          .on('error', reject)
          .end();
      });
    assert.equal(await ask(open, {}), 403);
    assert.equal(await ask(open, bearer(token)), 200);
    assert.equal(await ask(closed, bearer(token)), 200);
    const page = { Host: 'localhost', Origin: 'http://elsewhere.example' };
    assert.equal(await ask(open, page), 403);
    assert.equal(await ask(closed, page), 401);
  });

  it('keeps digests only, in a file for its owner alone', () => {
    const token = make('ann', 'write');
    assert.ok(!readFileSync(file, 'utf8').includes(token.slice(6)));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(addToken(file, { name: 'ann', role: 'read', nowMs: 0 }).ok, false);
    assert.deepEqual(addToken(file, { name: 'device', role: 'read', nowMs: 0 }).ok, false);
    chmodSync(file, 0o644);
    assert.throws(() => readTokens(file), { code: 'tokens-readable', exit: 78 });
    chmodSync(file, 0o600);
    writeFileSync(file, '{"v":2}');
    assert.throws(() => readTokens(file), { code: 'tokens-invalid', exit: 78 });
  });

  it('ends the streams of a token that was taken away', async () => {
    const manual = createManualClock();
    const access = new Access({ tokens: file, isOpen: false, events });
    const server = parts.use(await serveTwins({ twins, clock: manual, access }));
    const reader = async (name: string) => {
      const headers = { ...bearer(make(name, 'read')), Accept: 'text/event-stream' };
      const { body } = await fetch(`${server.url}/api/2/things`, { headers });
      return body!.getReader();
    };
    const [kept, taken] = [await reader('ann'), await reader('bob')];
    removeToken(file, 'bob');
    manual.advance(15_000);
    assert.equal(Buffer.from((await kept.read()).value!).toString(), ':\n\n');
    await assert.rejects(taken.read());
    await kept.cancel();
  });

  it('lets nobody in by a file it cannot read, and is not served to others unguarded', async () => {
    const server = await serve(false);
    const token = make('ann', 'read');
    assert.equal((await call(server, 'GET', bearer(token)))[0], 200);
    chmodSync(file, 0o644);
    assert.deepEqual(await call(server, 'GET', bearer(token)), unknown);
    const listener = { host: '0.0.0.0', port: 0 };
    await assert.rejects(
      serveHttp(() => new Response(), listener),
      { code: 'insecure-listener', exit: 78 },
    );
    await using _ = await serveHttp(() => new Response(), { ...listener, isGuarded: true });
  });
});
