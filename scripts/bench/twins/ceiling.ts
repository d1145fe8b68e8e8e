import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const SUBSCRIBER = fileURLToPath(new URL('./bare-subscriber.ts', import.meta.url));
const UP_MS = 10_000;
const OWN_VERSION = /mosquitto version (\S+)/;

export interface Ceiling extends AsyncDisposable {
  readonly description: string;
  readonly port: number;
}

/**
 * Starts Mosquitto, and a subscriber that acknowledges and keeps nothing; `refused` says why they
 * cannot take part.
 */
export async function startCeiling(
  program: string,
  { folder, port }: { folder: string; port: number },
): Promise<Ceiling | { readonly refused: string }> {
  const version = versionOf(program);
  if (typeof version !== 'string') return version;
  const configFile = join(folder, 'mosquitto.conf');
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'persistence false'];
  writeFileSync(
    configFile,
    [...lines, 'set_tcp_nodelay true', 'max_queued_messages 0', ''].join('\n'),
  );
  const broker = spawn(program, ['-c', configFile], { stdio: 'ignore' });
  const stop = () => endOf(broker);
  if (!(await listens(port))) {
    await stop();
    return { refused: `${program} does not listen` };
  }
  const subscriber = spawn(process.execPath, [SUBSCRIBER, String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await Promise.race([once(subscriber.stdout, 'data'), sleep(UP_MS, undefined, { ref: false })]);
  return {
    description: `Mosquitto ${version} and a subscriber that acknowledges and keeps nothing`,
    port,
    async [Symbol.asyncDispose]() {
      await Promise.all([endOf(subscriber), stop()]);
    },
  };
}

function versionOf(program: string): string | { readonly refused: string } {
  try {
    // It says its version with its help, and exits with 3 (mosquitto 2.0).
    execFileSync(program, ['-h'], { encoding: 'utf8', stdio: 'pipe' });
    return 'of unknown version';
  } catch (error) {
    const { stdout, message } = error as { stdout?: string; message: string };
    const version = OWN_VERSION.exec(stdout ?? '')?.[1];
    return version ?? { refused: `${message} (apt-get install mosquitto)` };
  }
}

async function listens(port: number): Promise<boolean> {
  const deadlineMs = performance.now() + UP_MS;
  while (performance.now() < deadlineMs) {
    const socket = connect({ host: '127.0.0.1', port });
    const up = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'close').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (up) return true;
    await sleep(20);
  }
  return false;
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
