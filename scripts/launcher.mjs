#!/usr/bin/env node
/**
 * Starts DITEN from a clone: installs what is missing, then runs `scripts/diten.ts` (or, after
 * `--dev`, the script named) on a Node that is new enough. Runs on any Node >= 18 with nothing
 * installed, hence plain JavaScript without dependencies.
 *
 *   launcher.mjs <arguments of diten ...>
 *   launcher.mjs --dev <script> <arguments ...>
 *   launcher.mjs --install <run|dev>       (by itself, under the lock)
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(import.meta.url);
const ROOT = dirname(dirname(LAUNCHER));
const PINNED = join(ROOT, 'scripts', 'pinned-node');
const PINNED_NODE = join(PINNED, `node_modules/node-linux-${process.arch}/bin/node`);
const PINNED_NPM = join(PINNED, 'node_modules/npm/bin/npm-cli.js');
const STAMP = 'node_modules/.diten-installed';
const LOCK_TAKEN = 75;

/** Something a person can mend; the message is the one line they see. */
class StartError extends Error {}

async function main(args) {
  refuseUnfitMachine();
  if (args[0] === '--install') return install(args[1]);
  const dev = args[0] === '--dev';
  const scope = dev ? 'dev' : 'run';
  const installSeconds = await installOnce(scope);
  const { node } = runtime();
  const script = dev ? join(ROOT, args[1]) : join(ROOT, 'scripts/diten.ts');
  const { code } = await run([node, script, ...args.slice(dev ? 2 : 0)], {
    stdio: 'inherit',
    env: {
      ...pathStartingAt(dirname(node)),
      DITEN_STARTED_AT_MS: String(Math.round(performance.timeOrigin)),
      DITEN_INSTALL_SECONDS: String(installSeconds),
      NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/node'),
      // A young generation of the usual 16 MB halves costs each node 25 MB idle and 100 MB busy.
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --max-semi-space-size=4`.trim(),
      ORT_DISABLE_TELEMETRY: '1',
    },
  });
  return code;
}

function refuseUnfitMachine() {
  const { platform, arch, versions } = process;
  if (Number.parseInt(versions.node, 10) < 18) {
    throw new StartError(
      `Node ${versions.node} is too old to start from; install Node 18 or newer`,
    );
  }
  if (platform !== 'linux') {
    throw new StartError(`${platform} is not supported; use Linux on x86-64 or arm64`);
  }
  if (arch === 'arm') {
    throw new StartError(
      'this is a 32-bit ARM system, for which there is no ONNX Runtime; install the 64-bit one ' +
        '(Raspberry Pi OS 64-bit)',
    );
  }
  if (arch !== 'x64' && arch !== 'arm64') {
    throw new StartError(`${arch} processors are not supported; use Linux on x86-64 or arm64`);
  }
}

/** The Node that runs the project, and the npm that goes with it. */
function runtime() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 24 || (major === 24 && minor >= 12)) {
    return { node: process.execPath, npm: machineNpm, pinned: false };
  }
  // Under the machine's older Node npm would leave out packages that need a newer one.
  const npm = () => (existsSync(PINNED_NPM) ? [PINNED_NODE, PINNED_NPM] : machineNpm());
  return { node: PINNED_NODE, npm, pinned: true };
}

/** The machine's npm as the start of a command line; it runs on the machine's own Node. */
function machineNpm() {
  const folders = [dirname(process.execPath), ...(process.env.PATH ?? '').split(delimiter)];
  const calling = process.env.npm_execpath ?? '';
  if (calling.endsWith('npm-cli.js') && existsSync(calling)) return [process.execPath, calling];
  const found = folders.map((folder) => join(folder, 'npm')).find(existsSync);
  if (found === undefined) {
    throw new StartError('npm is not installed; install it (Debian: sudo apt-get install npm)');
  }
  const file = realpathSync(found);
  return file.endsWith('.js') ? [process.execPath, file] : [file];
}

/** Installs what is missing, one process at a time; gives the seconds spent, 0 where nothing is. */
async function installOnce(scope) {
  if (missingParts(scope).length === 0) return 0;
  const startMs = performance.now();
  const underLock = [join(ROOT, 'package.json'), process.execPath, LAUNCHER, '--install', scope];
  const options = ['--no-fork', '--conflict-exit-code', String(LOCK_TAKEN)];
  let { code } = await run(['flock', '--nonblock', ...options, ...underLock], { stdio: 'inherit' });
  if (code === LOCK_TAKEN) {
    say('Another start is installing; waiting for it ...');
    ({ code } = await run(['flock', ...options, ...underLock], { stdio: 'inherit' }));
  }
  if (code !== 0) process.exit(code);
  return secondsSince(startMs);
}

/**
 * What has to be installed, in order. A part is there when its stamp says so: the stamp is written
 * last, so an interrupted install is done again.
 */
function missingParts(scope) {
  const parts = runtime().pinned ? [{ folder: PINNED, scope: 'run', name: 'Node 24' }] : [];
  parts.push({ folder: ROOT, scope, name: 'dependencies' });
  return parts.filter((part) => {
    const stamp = readStamp(part.folder);
    if (stamp.scope === 'dev') part.scope = 'dev';
    return stamp.lock !== lockDigest(part.folder) || stamp.scope !== part.scope;
  });
}

function readStamp(folder) {
  const file = join(folder, STAMP);
  const [scope, lock] = existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ') : [];
  return { scope, lock };
}

function lockDigest(folder) {
  const lock = readFileSync(join(folder, 'package-lock.json'));
  return createHash('sha256').update(process.arch).update(lock).digest('hex');
}

async function install(scope) {
  if (process.report.getReport().header.glibcVersionRuntime === undefined) {
    throw new StartError('this system has no glibc (musl?); use Debian or Raspberry Pi OS');
  }
  for (const part of missingParts(scope)) await installPart(part);
  return 0;
}

async function installPart({ folder, scope, name }) {
  const first = readStamp(folder).scope === undefined;
  say(`Installing ${name}${first ? ' (first start)' : ''} ...`);
  const startMs = performance.now();
  const digest = lockDigest(folder);
  const npm = folder === PINNED ? machineNpm() : runtime().npm();
  rmSync(join(folder, STAMP), { force: true });
  const devDependencies = scope === 'dev' ? '--include=dev' : '--omit=dev';
  const { code, output } = await run(
    [...npm, 'ci', '--ignore-scripts', devDependencies, '--prefix', folder],
    { cwd: folder, env: pathStartingAt(dirname(npm[0])) },
  );
  if (code > 128) process.exit(code);
  if (code !== 0) {
    process.stderr.write(output);
    throw new StartError(
      `cannot install ${name} (npm ci ended with ${code}, its output is above); ${mendFor(output)}`,
    );
  }
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  writeFileSync(join(folder, STAMP), `${scope} ${digest}\n`);
  say(`Installed ${name} in ${secondsSince(startMs)} s.`);
}

function mendFor(output) {
  if (/\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH)\b/.test(output)) {
    return 'no npm registry could be reached: check the network (npm ping), then start again';
  }
  if (/\bENOSPC\b/.test(output)) return 'the disk is full: free some space, then start again';
  return 'mend what it names, then start again';
}

/**
 * Runs a command to its end, passing signals on. Gives its exit code (128 + the signal's number
 * where one ended it) and, where `stdio` is not 'inherit', what it wrote.
 */
function run([command, ...args], options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    const stopForwarding = forwardSignals(child);
    child.on('error', (error) => {
      reject(new StartError(`cannot run ${command} (${error.message}); is it installed?`));
    });
    child.on('close', (code, signal) => {
      stopForwarding();
      resolve({ code: code ?? 128 + constants.signals[signal], output });
    });
  });
}

/** Ctrl-C reaches the child by itself: passed on, it would count as the second one there. */
function forwardSignals(child) {
  const forward = (signal) => {
    if (signal === 'SIGTERM' || !isTerminalForeground()) child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, forward);
  return () => {
    for (const signal of signals) process.off(signal, forward);
  };
}

/** Whether the terminal's own signals go to this process group (see proc_pid_stat(5)). */
function isTerminalForeground() {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group === foreground;
}

/** This process's environment with `folder` first on the PATH. */
function pathStartingAt(folder) {
  return { ...process.env, PATH: [folder, process.env.PATH].join(delimiter) };
}

function secondsSince(startMs) {
  return Math.round((performance.now() - startMs) / 100) / 10;
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  say(`diten: ${error.message}`);
  process.exitCode = 1;
}
