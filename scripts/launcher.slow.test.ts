import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';

const LAUNCHER = 'scripts/launcher.mjs';

/** Tells how it was started; `exit N` and `die` end it so, `wait` tells its signals. */
const PROGRAM = `
const { argv, env } = process;
if (argv[2] === 'exit') process.exit(Number(argv[3]));
if (argv[2] === 'die') process.kill(process.pid, 'SIGKILL');
let quiet: NodeJS.Timeout | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    console.log('got ' + signal);
    clearTimeout(quiet);
    quiet = setTimeout(() => process.exit(7), 300);
  });
}
if (argv[2] === 'wait') {
  setInterval(() => undefined, 1000);
  console.log('ready');
} else {
  const { DITEN_STARTED_AT_MS, DITEN_INSTALL_SECONDS, ORT_DISABLE_TELEMETRY } = env;
  console.log(JSON.stringify({
    args: argv.slice(2), cwd: process.cwd(), part: import.meta.resolve('part'),
    DITEN_STARTED_AT_MS, DITEN_INSTALL_SECONDS, ORT_DISABLE_TELEMETRY,
  }));
}
`;

let root: string;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], options: { cwd?: string; env?: object } = {}) {
  const launcher = join(root, LAUNCHER);
  return spawn(process.execPath, [launcher, ...args], {
    cwd: options.cwd ?? root,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function ended(child: ChildProcess): Promise<Ended> {
  const code = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
  return { code: await code, stdout, stderr };
}

const launch = (...args: string[]) => ended(start(args));

/** A project whose one dependency is a folder of its own: installed by npm without a network. */
function writeProject(version: string): void {
  const dependencies = { part: 'file:part' };
  const project = { name: 'sample', version, type: 'module', dependencies };
  writeFileSync(join(root, 'package.json'), JSON.stringify(project));
  const packages = {
    '': { name: 'sample', version, dependencies },
    'node_modules/part': { resolved: 'part', link: true },
    part: { version: '1.0.0' },
  };
  const lock = { name: 'sample', version, lockfileVersion: 3, requires: true, packages };
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lock));
}

describe('launcher', () => {
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'diten-launcher-'));
    mkdirSync(join(root, 'scripts'));
    mkdirSync(join(root, 'part'));
    cpSync(join(import.meta.dirname, 'launcher.mjs'), join(root, LAUNCHER));
    writeFileSync(join(root, 'scripts/diten.ts'), PROGRAM);
    const part = { name: 'part', version: '1.0.0', exports: './part.js' };
    writeFileSync(join(root, 'part/package.json'), JSON.stringify(part));
    writeFileSync(join(root, 'part/part.js'), '');
    writeProject('1.0.0');
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  it('installs once where two start together', async () => {
    const both = await Promise.all([launch(), launch()]);
    assert.deepEqual(
      both.map(({ code }) => code),
      [0, 0],
    );
    const lines = both.flatMap(({ stderr }) => stderr.split('\n')).filter((line) => line !== '');
    assert.equal(
      lines.filter((line) => /^Installed dependencies in [\d.]+ s/.test(line)).length,
      1,
    );
    assert.ok(lines.some((line) => line.startsWith('Another start is installing')));
  });

  it('starts the program with its arguments and what it has to know', async () => {
    const { code, stdout, stderr } = await launch('trial', '--seconds', '3');
    const told = JSON.parse(stdout);
    assert.equal(code, 0);
    assert.equal(stderr, '');
    assert.deepEqual(told.args, ['trial', '--seconds', '3']);
    assert.equal(told.DITEN_INSTALL_SECONDS, '0');
    assert.equal(told.ORT_DISABLE_TELEMETRY, '1');
    assert.ok(Math.abs(Date.now() - Number(told.DITEN_STARTED_AT_MS)) < 60_000);
  });

  it('installs again after the lockfile changed, and tells how long it took', async () => {
    writeProject('1.0.1');
    const { stdout, stderr } = await launch();
    assert.match(stderr, /^Installing dependencies .*\nInstalled dependencies in /);
    assert.ok(Number(JSON.parse(stdout).DITEN_INSTALL_SECONDS) > 0);
    assert.equal((await launch()).stderr, '');
  });

  it('installs again after an install that was cut off', async () => {
    rmSync(join(root, 'node_modules/.diten-installed'));
    rmSync(join(root, 'node_modules/part'));
    assert.match((await launch()).stderr, /^Installed dependencies/m);
    assert.ok(existsSync(join(root, 'node_modules/part')));
  });

  it('installs development dependencies for --dev only, and is content with them', async () => {
    const dev = () => launch('--dev', 'scripts/diten.ts', 'exit', '5');
    const first = await dev();
    assert.match(first.stderr, /^Installed dependencies/m);
    assert.equal(first.code, 5);
    assert.equal((await dev()).stderr, '');
    assert.equal((await launch()).stderr, '');
  });

  it('says in one line that no registry can be reached', async () => {
    const offline = { name: 'sample', version: '1.0.2', dependencies: { absent: '1.0.0' } };
    const packages = { '': offline, 'node_modules/absent': { version: '1.0.0' } };
    writeFileSync(join(root, 'package.json'), JSON.stringify(offline));
    const lock = { ...offline, lockfileVersion: 3, packages };
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lock));
    const env = { npm_config_registry: 'http://127.0.0.1:9/', npm_config_fetch_retries: '0' };
    const { code, stderr } = await ended(start([], { env }));
    writeProject('1.0.1');
    assert.equal(code, 1);
    assert.match(stderr, /\nditen: cannot install dependencies .*registry could be reached.*\n$/);
    assert.equal((await launch('exit', '0')).code, 0);
  });

  it('works through a symlink and leaves the working folder alone', async () => {
    const link = join(root, 'diten');
    symlinkSync(LAUNCHER, link);
    const child = spawn(link, ['here'], { cwd: tmpdir(), stdio: ['ignore', 'pipe', 'pipe'] });
    const told = JSON.parse((await ended(child)).stdout);
    assert.equal(told.cwd, tmpdir());
    assert.deepEqual(told.args, ['here']);
  });

  it('ends as the program ended', async () => {
    assert.equal((await launch('exit', '78')).code, 78);
    assert.equal((await launch('die')).code, 128 + 9);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`passes ${signal} on and waits for the program`, async () => {
      const child = start(['wait']);
      child.stdout.once('data', () => child.kill(signal));
      const { code, stdout } = await ended(child);
      assert.equal(stdout, `ready\ngot ${signal}\n`);
      assert.equal(code, 7);
    });
  }

  it('lets each Ctrl-C in a terminal reach the program once', async () => {
    const command = `exec ${process.execPath} ${join(root, LAUNCHER)} wait`;
    const terminal = spawn('script', ['-qec', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let presses = 0;
    terminal.stdout.on('data', (output) => {
      if (/ready|got/.test(String(output)) && presses++ < 12) terminal.stdin.write('\x03');
    });
    const { code, stdout } = await ended(terminal);
    assert.equal(stdout.match(/got SIGINT/g)?.length, stdout.match(/\^C/g)?.length);
    assert.equal(code, 7);
  });
});
