import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SparkplugStatus } from '#edge-node/sparkplug/sparkplug-host.ts';

const DITEN = join(import.meta.dirname, '..', 'diten.ts');
const PATIENCE_MS = 30_000;

/** A real program in a process of its own. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  output = '';

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#exited = once(this.#child, 'close');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        this.output += text;
      });
    }
  }

  static diten(...args: readonly string[]): Program {
    return new Program(process.execPath, [DITEN, ...args]);
  }

  /** Resident memory now, in bytes. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  /** Sends the signal and waits for the end; returns the exit code. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    await this.#exited;
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.end('SIGKILL');
  }
}

/** Polls until the condition holds; rejects, with what was last seen, where it never does. */
export async function untilSo<T>(
  look: () => Promise<T | undefined>,
  isSo: (seen: T) => boolean,
): Promise<T> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && isSo(seen)) return seen;
    if (performance.now() > endMs) {
      throw new Error(`not so in ${PATIENCE_MS} ms: ${isSo}, but ${JSON.stringify(seen)}`);
    }
    await sleep(50);
  }
}

export interface Plant {
  readonly root: string;
  readonly mqttPort: number;
  readonly httpPort: number;
  /** The broker Sparkplug goes over; the edge node's own where left out. */
  readonly sparkplugUrl?: string;
}

/** Writes both configurations, whose agent waits for its primary host; returns their files. */
export function writePlant({ root, mqttPort, httpPort, sparkplugUrl }: Plant) {
  const url = sparkplugUrl === undefined ? '' : `url = "${sparkplugUrl}"`;
  const write = (id: string, body: string) => {
    const data = join(root, id);
    mkdirSync(data, { recursive: true });
    const file = join(root, `${id}.toml`);
    writeFileSync(file, `id = "${id}"\ngroup = "lab"\ndata = "${data}"\n${body}`);
    return file;
  };
  return {
    edge: write(
      'edge-1',
      `[mqtt]\nport = ${mqttPort}\n[http]\nport = ${httpPort}\n[sparkplug]\n${url}\n`,
    ),
    agent: write(
      'mote-1',
      `[mqtt]\nurl = "mqtt://127.0.0.1:${mqttPort}"\n` +
        `[sparkplug]\nprimaryHost = "edge-1"\n${url}\n` +
        '[[sensors]]\nkind = "host"\nperiodMs = 50\n' +
        '[[actuators]]\nkind = "simulated"\nproperty = "led/on"\n',
    ),
  };
}

export interface PlantStatus {
  readonly sparkplug: SparkplugStatus;
  readonly devices: readonly { readonly id: string; readonly samples: number }[];
  readonly events: Readonly<Record<string, number>>;
}

/** What the edge node's `/status` says; `undefined` while it does not answer. */
export async function plantStatus({ httpPort }: Plant): Promise<PlantStatus | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${httpPort}/status`);
    return (await answer.json()) as PlantStatus;
  } catch {
    return undefined;
  }
}

/** What it says of Sparkplug. */
export async function sparkplugStatus(plant: Plant): Promise<SparkplugStatus | undefined> {
  return (await plantStatus(plant))?.sparkplug;
}

export interface DoctorReport {
  readonly heard: Readonly<Record<'messages' | 'nodes' | 'devices' | 'hosts', number>>;
  readonly summary: Readonly<Record<'failMust' | 'failShould' | 'pass' | 'notSeen', number>>;
  readonly assertions: readonly {
    readonly id: string;
    readonly outcome: 'pass' | 'fail' | 'not-seen';
    readonly passes: number;
    readonly fault?: unknown;
  }[];
}

export function readReport(file: string): DoctorReport {
  return JSON.parse(readFileSync(file, 'utf8')) as DoctorReport;
}

/** Whether that program is installed here. */
export function isInstalled(command: string): boolean {
  return spawnSync(command, ['-h'], { stdio: 'ignore' }).error === undefined;
}
