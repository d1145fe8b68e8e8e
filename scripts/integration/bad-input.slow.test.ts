import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openDatabase } from '#runtime/database/database.ts';

const DITEN = fileURLToPath(new URL('../diten.ts', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'diten-bad-input-'));
after(() => rmSync(root, { recursive: true, maxRetries: 5 }));

let folders = 0;

/** A configuration that would run, but for what the test adds. */
function writeConfig(kind: 'edge' | 'device', extra = ''): { file: string; data: string } {
  const folder = join(root, String(folders++));
  const data = join(folder, 'data');
  mkdirSync(data, { recursive: true });
  const head = `id = "x-1"\ngroup = "lab"\ndata = "${data}"\n`;
  const body = {
    edge: extra.includes('[mqtt]') ? extra : `${extra}\n[mqtt]\nport = 0\n[http]\nport = 0\n`,
    device: `${extra}\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n`,
  };
  const sensors = kind === 'device' && !extra.includes('[[sensors]]');
  const file = join(folder, 'config.toml');
  writeFileSync(file, `${head}${body[kind]}${sensors ? '[[sensors]]\nkind = "host"\n' : ''}`);
  return { file, data };
}

function run(...args: string[]) {
  const { status, stderr } = spawnSync(process.execPath, [DITEN, ...args], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { status, stderr };
}

function assertRefused(
  { status, stderr }: ReturnType<typeof run>,
  { exit = 78, says }: { exit?: number; says: RegExp },
) {
  assert.match(stderr, says);
  assert.equal(status, exit, stderr);
  assert.equal(stderr.trimEnd().split('\n').length, 1, `one line:\n${stderr}`);
}

function csv(text: string): string {
  const file = join(root, `${folders++}.csv`);
  writeFileSync(file, text);
  return `[[sensors]]
kind = "replay"
file = "${file}"
periodMs = 10
columns = [{ column = "t", property = "a/t", unit = "Cel" }]
`;
}

describe('bad input to the programs', { concurrency: 2 }, () => {
  for (const [name, kind, extra, says] of [
    ['an unknown key', 'edge', 'colour = "red"', /unknown key colour.*\[config-invalid\]/],
    ['a bad type', 'edge', '[mqtt]\nport = "many"', /mqtt\.port.*\[config-invalid\]/],
    ['broken TOML', 'device', 'x = = 1', /config\.toml:4:.*\[config-syntax\]/],
    ['a bad sensor', 'device', '[[sensors]]\nkind = "smell"', /sensors\[0\].*\[config-invalid\]/],
    [
      'a thermometer that is not there',
      'device',
      '[training]\ntemperature = { property = "a/b", celsiusMax = 80 }',
      /a\/b.*cpu\/load.*\[no-thermometer\]/,
    ],
    ['a missing CSV', 'device', csv('').replace('.csv', '.none'), /\.none.*\[replay-/],
    ['an empty CSV', 'device', csv(''), /\.csv.*\[replay-/],
    ['a CSV without the column', 'device', csv('a,b\n1,2\n'), /column.* t\b.*\[replay-/],
    ['text in a number', 'device', csv('t\n1\nwarm\n'), /\.csv:3:.*warm.*\[replay-/],
    ['an open broker', 'edge', '[mqtt]\nhost = "0.0.0.0"\nport = 0', /\[insecure-listener\]/],
    [
      'a model too large for the broker',
      'edge',
      `[mqtt]\nport = 0\n[http]\nport = 0\n[learning]\nwindow = 1024\nhidden = 1024
features = [{ property = "a/x", scale = 1 }, { property = "a/y", scale = 1 }]`,
      /\[task-too-large\]/,
    ],
    [
      'an open API',
      'edge',
      '[mqtt]\nport = 0\n[http]\nhost = "0.0.0.0"\nport = 0',
      /\[insecure-listener\]/,
    ],
  ] as const) {
    it(`${name}: one line and exit 78`, () => {
      assertRefused(run(kind, '--config', writeConfig(kind, extra).file), { says });
    });
  }

  it('a missing key: one line and exit 78', () => {
    const file = join(root, 'empty.toml');
    writeFileSync(file, 'id = "x"\n');
    assertRefused(run('edge', '--config', file), { says: /missing key group.*\[config-invalid\]/ });
  });

  it('a missing file: one line and exit 78', () => {
    const refused = run('device', '--config', join(root, 'none.toml'));
    assertRefused(refused, { says: /none\.toml.*\[config-unreadable\]/ });
  });

  it('a damaged database, a newer one: one line, exit 78, and the file as it was', () => {
    const damaged = writeConfig('edge');
    writeFileSync(join(damaged.data, 'twins.sqlite'), 'x'.repeat(8192));
    const says = /twins\.sqlite.*\[database-corrupt\]/;
    assertRefused(run('edge', '--config', damaged.file), { says });

    const newer = writeConfig('device');
    const migrations = new Array<string>(40).fill('SELECT 1');
    openDatabase(join(newer.data, 'outbox.sqlite'), { name: 'outbox', migrations }).close();
    assertRefused(run('device', '--config', newer.file), { says: /\[database-newer\]/ });
  });

  it('taken ports: one line and exit 78', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    for (const extra of [
      `[mqtt]\nport = ${port}\n[http]\nport = 0`,
      `[mqtt]\nport = 0\n[http]\nport = ${port}`,
    ]) {
      const refused = run('edge', '--config', writeConfig('edge', extra).file);
      assertRefused(refused, { says: new RegExp(`${port}.*\\[port-taken\\]`) });
    }
    taken.close();
  });

  it('a data folder in use: one line and exit 78', async () => {
    const { file } = writeConfig('edge');
    const first = spawn(process.execPath, [DITEN, 'edge', '--config', file], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    await once(first, 'message');
    assertRefused(run('edge', '--config', file), { says: /\[data-folder-in-use\]/ });
    first.kill('SIGTERM');
    assert.deepEqual(await once(first, 'exit'), [0, null]);
  });

  it('wrong usage: exit 2', () => {
    for (const args of [['edge'], ['trial', '--seconds', 'soon'], ['fly'], ['trial', '--x']]) {
      const { status, stderr } = run(...args);
      assert.equal(status, 2, stderr);
      assert.match(stderr, /^error: /);
    }
  });
});
