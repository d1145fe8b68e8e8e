import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { serveTwins } from '#edge-node/api/api.fixture.ts';
import { TwinStore } from '#edge-node/twins/twin-store.ts';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import type { HttpServer } from '#runtime/http/serve-http.ts';

const DITEN = fileURLToPath(new URL('../diten.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'diten-predicted-'));
const twins = new TwinStore(join(folder, 'twins.sqlite'), { group: 'lab', nowMs: 0 });
let server: HttpServer;

before(async () => {
  server = await serveTwins({ twins, clock: createManualClock(12_500) });
  const report = {
    ...{ predictor: 'hold', depth: 1, ordinal: 1 },
    ...{ tolerance: 0.1, heartbeatMs: 60_000 },
  };
  const sample = { property: 'env/t', timeMs: 10_000, value: 21.25, quality: 'ok' } as const;
  const samples = [{ ...sample, sequence: 1, report }];
  const message = { epoch: '0'.repeat(16), available: 1, samples };
  twins.commit([{ device: 'mote-1', message }], 10_000);
  const units = { 'env/t': 'Cel' };
  twins.change('mote-1', { kind: 'presence', online: true, units, nowMs: 10_000 });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  twins[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

function get(...words: string[]): Promise<{ code: unknown; out: string; err: string }> {
  const args = [DITEN, 'twin', 'get', ...words, '--predicted', '--url', server.url];
  return new Promise((resolve) => {
    execFile(process.execPath, args, (error, out, err) =>
      resolve({ code: error?.code ?? 0, out, err }),
    );
  });
}

describe('diten twin get --predicted', { timeout: 60_000 }, () => {
  it('prints what the twin takes its properties to be, how old and how far off', async () => {
    const [whole, then] = await Promise.all([
      get('mote-1'),
      get('mote-1', 'env/t', '--time', '11000', '--json'),
    ]);
    assert.match(whole.out, /^property +value +origin +age +expected error +basis +predictor\n/);
    assert.match(whole.out, /env\/t +21\.25 Cel +predicted +2\.5 s +0\.1 +tolerance +hold\n$/);
    assert.equal(JSON.parse(then.out)['env/t'].ageMs, 1000);
  });

  it('says what is wrong and how to mend it', async () => {
    const [none, revision] = await Promise.all([
      get('mote-1', 'env/none'),
      get('mote-1', '--revision', '1'),
    ]);
    assert.deepEqual([none.code, revision.code], [1, 2]);
    assert.match(none.err, /things:property\.notfound/);
    assert.match(revision.err, /--revision: .*; give --time instead/);
  });
});
