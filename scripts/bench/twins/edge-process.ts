import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'smol-toml';
import { benchRule } from './feedback-load.ts';
import { BENCH_GROUP } from './virtual-device.ts';

const DITEN = fileURLToPath(new URL('../../diten.ts', import.meta.url));
const UP_MS = 30_000;

export interface EdgeProcess extends AsyncDisposable {
  readonly pid: number;
  readonly mqttPort: number;
  readonly httpPort: number;
  readonly dataFolder: string;
  /** Lets it end by itself; its files stay. */
  stop(): Promise<void>;
}

/** Starts an edge node as a user would, with one feedback rule, and waits until it is up. */
export async function startEdge(
  folder: string,
  { ports, twinsMax }: { ports: readonly [mqtt: number, http: number]; twinsMax: number },
): Promise<EdgeProcess> {
  const [mqttPort, httpPort] = ports;
  const dataFolder = join(folder, 'edge');
  const [configFile, logFile] = [join(folder, 'edge.toml'), join(folder, 'edge.log')];
  const config = {
    ...{ id: 'edge-1', group: BENCH_GROUP, data: dataFolder, log: { level: 'warn' } },
    mqtt: { host: '127.0.0.1', port: mqttPort },
    http: { host: '127.0.0.1', port: httpPort },
    twins: { max: twinsMax },
    feedback: [benchRule],
  };
  writeFileSync(configFile, stringify(config));
  const log = openSync(logFile, 'a');
  const child = spawn(process.execPath, [DITEN, 'edge', '--config', configFile], {
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const ended = once(child, 'exit');
  const up = await Promise.race([
    once(child, 'message').then(() => true),
    ended.then(() => false),
    sleep(UP_MS, false, { ref: false }),
  ]);
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  if (!up) {
    child.kill('SIGKILL');
    const words = readFileSync(logFile, 'utf8').trim().split('\n').at(-1);
    throw new Error(`the edge node does not come up: ${words || 'without a word'}`);
  }
  return {
    ...{ pid: child.pid!, mqttPort, httpPort, dataFolder, stop },
    [Symbol.asyncDispose]: stop,
  };
}
