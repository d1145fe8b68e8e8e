import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import type { PlannedProgram } from './trial-plan.ts';

const DITEN = fileURLToPath(new URL('../diten.ts', import.meta.url));
const RESTART_DELAY_MS = 250;
const STOP_PATIENCE_MS = 15_000;
const STOP_ATTEMPTS = 3;

export interface SupervisedProgram {
  readonly name: string;
  readonly pid: number | undefined;
  readonly restarts: number;
  /**
   * Tells it to end by itself (SIGTERM) and waits until it has. One that dies of something else
   * meanwhile is started once more, to hand over what it holds.
   */
  stop(): Promise<void>;
}

/**
 * Keeps one program running as a process of its own: started again whenever it dies, save for a
 * wrong configuration, which is reported to `onFatal`. Its log goes to `log` beside its
 * configuration.
 */
export function superviseProgram(
  program: PlannedProgram,
  { onRestart, onFatal }: { onRestart(name: string, cause: string): void; onFatal(e: Error): void },
): SupervisedProgram {
  const log = createWriteStream(join(program.configFile, '..', 'log'), { flags: 'a' });
  let child: ChildProcess;
  let restarts = 0;
  let stopping = false;
  let lastWords = '';

  const start = () => {
    child = spawn(process.execPath, [DITEN, program.kind, '--config', program.configFile], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true, // Ctrl-C is for the trial, which ends its programs in order
    });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.on('data', (chunk: Buffer) => {
      lastWords = chunk.toString().trim();
      log.write(chunk);
    });
    child.once('error', onFatal);
    child.once('exit', (code, signal) => onExit(code, signal));
  };

  const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
    if (stopping) return;
    if (code === exitCode.configuration) {
      onFatal(new ProgramError('program-refused', `${program.name}: ${lastWords}`));
      return;
    }
    restarts++;
    onRestart(program.name, signal ?? `exit code ${code}`);
    setTimeout(() => {
      if (!stopping) start();
    }, RESTART_DELAY_MS);
  };

  start();
  return {
    name: program.name,
    get pid() {
      return isRunning(child) ? child.pid : undefined;
    },
    get restarts() {
      return restarts;
    },
    async stop() {
      stopping = true;
      for (let attempt = 0; attempt < STOP_ATTEMPTS; attempt++) {
        if (!isRunning(child)) {
          restarts++;
          start();
          await becomesReady(child);
        }
        if (await endsCleanly(child)) break;
      }
      log.end();
    },
  };
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/** Resolves when the program has said that it is up, or is gone. */
async function becomesReady(child: ChildProcess): Promise<void> {
  await Promise.race([once(child, 'message'), once(child, 'exit')]);
}

async function endsCleanly(child: ChildProcess): Promise<boolean> {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE_MS);
  await exited;
  clearTimeout(impatience);
  return child.exitCode === exitCode.ok;
}
