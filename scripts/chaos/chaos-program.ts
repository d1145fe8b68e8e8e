import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const DITEN = fileURLToPath(new URL('../diten.ts', import.meta.url));
const READY_MS = 30_000;
const STOP_MS = 30_000;

export interface ChaosProgramOptions {
  readonly name: string;
  /** The subcommand of `diten` that runs it. */
  readonly kind: 'edge' | 'device';
  /** Holds its configuration, its data and its log. */
  readonly folder: string;
  /** Is told of an end that nobody asked for. */
  readonly onDeath: (death: string) => void;
}

/** A program in a process of its own that may be killed, held and started again. */
export class ChaosProgram {
  readonly name: string;
  readonly folder: string;
  readonly dataFolder: string;
  readonly #options: ChaosProgramOptions;
  readonly #log: WriteStream;
  #child: ChildProcess | undefined;
  #ready: Promise<unknown> = Promise.resolve();
  #ending = false;

  constructor(options: ChaosProgramOptions) {
    this.name = options.name;
    this.folder = options.folder;
    this.dataFolder = join(options.folder, 'data');
    this.#options = options;
    this.#log = createWriteStream(join(options.folder, 'log'), { flags: 'a' });
  }

  /** Of the running process. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** How far its wall clock is off, in milliseconds: a file it reads. */
  get clockFile(): string {
    return join(this.folder, 'clock');
  }

  start(): void {
    this.#ending = false;
    const { kind, folder } = this.#options;
    const child = spawn(process.execPath, [DITEN, kind, '--config', join(folder, 'config.toml')], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, DITEN_CLOCK_SHIFT_FILE: this.clockFile },
      detached: true, // Ctrl-C is for the run, which ends its programs in order
    });
    let lastWords = '';
    child.stdout?.pipe(this.#log, { end: false });
    child.stderr?.on('data', (chunk: Buffer) => {
      lastWords = chunk.toString().trim();
      this.#log.write(chunk);
    });
    child.once('exit', (code, signal) => {
      if (this.#ending || this.#child !== child) return;
      this.#options.onDeath(`${this.name} ended by itself (${signal ?? code}): ${lastWords}`);
      setTimeout(() => {
        if (!this.#ending && this.#child === child) this.start();
      }, 250);
    });
    this.#child = child;
    this.#ready = Promise.race([
      once(child, 'message'),
      once(child, 'exit'),
      sleep(READY_MS, undefined, { ref: false }),
    ]);
  }

  /** Resolves when it has said that it is up, is gone, or takes too long. */
  async ready(): Promise<void> {
    await this.#ready;
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#ending = true;
    await this.#end('SIGKILL');
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  /** Lets it end by itself, and resolves when it has; the exit code, or the signal it died of. */
  async stop(): Promise<number | string | null> {
    this.#ending = true;
    const child = this.#child;
    const impatience = setTimeout(() => child?.kill('SIGKILL'), STOP_MS);
    await this.#end('SIGTERM');
    clearTimeout(impatience);
    return child?.signalCode ?? child?.exitCode ?? null;
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    child.kill('SIGCONT');
    await exited;
  }
}
