import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Access } from '#edge-node/api/access/access.ts';
import { serveTwins } from '#edge-node/api/api.fixture.ts';
import { TwinStore } from '#edge-node/twins/twin-store.ts';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { type HttpServer, serveHttp } from '#runtime/http/serve-http.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';

const DITEN = fileURLToPath(new URL('../diten.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'diten-twin-commands-'));
const clock = createManualClock(5000);
const events = createEvents(silentLog, clock);
const twins = new TwinStore(join(folder, 'twins.sqlite'), { group: 'lab', nowMs: 0 });
let server: HttpServer;
const loopback = { host: '127.0.0.1', port: 0 };

before(async () => {
  server = await serveTwins({ twins, clock });
  for (const value of [20, 21, 22]) {
    const sample = {
      sequence: value,
      property: 'env/t',
      timeMs: value,
      value,
      quality: 'ok',
    } as const;
    const message = { epoch: '0'.repeat(16), available: value, samples: [sample] };
    twins.commit([{ device: 'mote-1', message }], 5000);
  }
});
after(async () => {
  await server[Symbol.asyncDispose]();
  twins[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

/** Runs `diten twin ...`, against the served twins where it is told no other. */
function twin(...words: string[]) {
  return diten('twin', ...words, ...(words.includes('--url') ? [] : ['--url', server.url]));
}

/** Runs `diten ...` as a process of its own. */
function diten(...words: string[]): Promise<{ code: unknown; out: string; err: string }> {
  const args = [DITEN, ...words];
  return new Promise((resolve) => {
    execFile(process.execPath, args, (error, out, err) =>
      resolve({ code: error?.code ?? 0, out, err }),
    );
  });
}

describe('diten twin', { timeout: 240_000 }, () => {
  it('sets, and shows what is desired, how far it is and why', async () => {
    const set = await twin('set', 'mote-1', 'led/on', 'true');
    assert.deepEqual(set, { code: 0, out: '', err: '' });
    assert.equal(twins.get('mote-1')?.features.led?.desired.on?.value, true);
    const [diff, why] = await Promise.all([twin('diff', 'mote-1'), twin('why', 'lab:mote-1')]);
    assert.match(diff.out, /led\/on +true +- +1 +unseen +1970-01-01T00:00:05/);
    assert.match(why.out, /led\/on = true: unseen\n {2}the device has never been online\n/);
  });

  it('lists, gets and replays', async () => {
    const [list, get, history] = await Promise.all([
      twin('ls', '--filter', 'gt(features/env/properties/t,21)'),
      twin('get', 'mote-1', 'features/env/properties/t', '--revision', '2'),
      twin('history', 'mote-1', '--from', '2', '--to', '3', '--json'),
    ]);
    assert.match(list.out, /lab:mote-1 +offline +\d/);
    assert.equal(get.out, '21\n');
    const revisions = history.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)._revision);
    assert.deepEqual(revisions, [2, 3]);
  });

  it('ends without a word where its reader has enough', async () => {
    const args = [DITEN, 'twin', 'history', 'mote-1', '--url', server.url];
    const reader = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    reader.stdout.destroy();
    assert.equal(await text(reader.stderr), '');
  });

  it('shows what a twin is to others, both ways', async () => {
    const room = { op: 'put', path: '', value: { attributes: {} } } as const;
    twins.change('room-1', { kind: 'edited', nowMs: 5000, by: 'ann', edit: room });
    const path = 'attributes/relations/partOf';
    const refused = await twin('set', 'mote-1', path, 'lab:room-1');
    assert.match(refused.err, /partOf: give an array of ids of things/);
    await twin('set', 'mote-1', path, '["lab:room-1"]');
    const [one, other] = await Promise.all([
      twin('relations', 'mote-1'),
      twin('relations', 'room-1'),
    ]);
    assert.match(one.out, /it +partOf +lab:room-1\n$/);
    assert.match(other.out, /lab:mote-1 +partOf +it\n$/);
  });

  it('makes tokens, and shows the one it is given', async () => {
    const config = join(folder, 'edge.toml');
    const file = join(folder, 'api-tokens.json');
    writeFileSync(config, `id = "edge-1"\ngroup = "lab"\ndata = "${folder}"\n`);
    const made = await diten('token', 'new', '--config', config, '--name', 'eve');
    assert.match(made.out, /^diten_[\w-]{43}\n$/);
    const access = new Access({ tokens: file, isOpen: false, events });
    await using guarded = await serveTwins({ twins, clock, access });
    const url = ['--url', guarded.url];
    const [without, shown, wrong] = await Promise.all([
      twin('ls', ...url),
      twin('ls', ...url, '--token', made.out.trim()),
      twin('set', 'mote-1', 'led/on', 'true', ...url, '--token', made.out.trim()),
    ]);
    assert.match(without.err, /api:token.required/);
    assert.match(shown.out, /lab:mote-1/);
    assert.match(wrong.err, /api:role.insufficient: The token eve may only read/);
    assert.match((await diten('token', 'ls', '--config', config)).out, /eve +read/);
    assert.equal((await diten('token', 'rm', 'eve', '--config', config)).code, 0);
    assert.equal((await diten('token', 'rm', 'eve', '--config', config)).code, 1);
  });

  it('says what is wrong and how to mend it', async () => {
    const answers = await Promise.all([
      twin('get', 'mote-9'),
      twin('ls', '--filter', 'eq(', '--json'),
      twin('ls', '--url', 'http://127.0.0.1:1'),
      twin('ls', '--url', 'nowhere'),
      twin('history', 'mote-1', '--from', 'x'),
      twin('ls', '--token', 'a\nb'),
    ]);
    assert.deepEqual(
      answers.map(({ code }) => code),
      [1, 1, 1, 2, 2, 2],
    );
    const said = answers.map(({ err }) => err);
    assert.match(said[0]!, /things:thing.notfound: There is no thing lab:mote-9 here/);
    assert.match(said[1]!, /rql.expression.invalid/);
    assert.match(said[2]!, /no edge node answers at/);
    assert.match(said[3]!, /--url: nowhere is no URL/);
    assert.match(said[5]!, /^diten: --token: this is no token.*\n$/);
  });

  it('says in one line that something else answers, or nothing any more', async () => {
    await using page = await serveHttp(() => new Response('<html>'), loopback);
    const elsewhere = await twin('ls', '--url', page.url);
    assert.match(elsewhere.err, /^diten: --url: what answers at .*\[answer-invalid\]\n$/);
    const ended = await serveHttp((_, { cutOff }) => {
      setTimeout(cutOff, 50);
      return new Response(new ReadableStream({ start: (each) => each.enqueue(Buffer.of(10)) }));
    }, loopback);
    const watched = await twin('watch', 'lab:mote-1', '--url', ended.url);
    await ended[Symbol.asyncDispose]();
    assert.match(watched.err, /^diten: .* ended the connection .*\[answer-interrupted\]\n$/);
    assert.deepEqual([elsewhere.code, watched.code], [1, 1]);
  });
});
