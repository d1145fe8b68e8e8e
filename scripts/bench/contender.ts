import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { BenchModel } from './bench-models.ts';

/** Who trains, and how. */
export type Way = 'step' | 'epoch' | 'pytorch';

/** What a contender is given, as JSON, when it starts. */
export interface ContenderTask extends BenchModel {
  readonly batch: number;
  readonly way: Way;
}

interface Turn {
  readonly seconds: number;
  /** The most the process has held so far. */
  readonly memoryBytes: number;
}

/** A process that trains one model in one way, and waits while others have their turn. */
export interface Contender extends AsyncDisposable {
  readonly way: Way;
  readonly parameters: number;
  readonly version: string;
  train(steps: number): Promise<Turn>;
}

/** Starts one; `refused` tells why it cannot take part. */
export async function startContender(
  task: ContenderTask,
  python: string,
): Promise<Contender | { readonly refused: string }> {
  const [command, script]: [string, URL] =
    task.way === 'pytorch'
      ? [python, new URL('./torch-contender.py', import.meta.url)]
      : [process.execPath, new URL('./diten-contender.ts', import.meta.url)];
  const child = spawn(command, [fileURLToPath(script), JSON.stringify(task)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, OMP_NUM_THREADS: '1' },
  });
  const lines = answersOf(child);
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
  const first = await lines.next();
  const ready = first.done ? undefined : (JSON.parse(first.value) as Partial<Contender & Refusal>);
  if (ready?.refused !== undefined || ready?.parameters === undefined) {
    child.kill();
    await ended;
    return { refused: ready?.refused ?? `${command} ${lines.lastError()}` };
  }
  return {
    way: task.way,
    parameters: ready.parameters,
    version: ready.version!,
    async train(steps) {
      child.stdin!.write(`${JSON.stringify({ steps })}\n`);
      const answer = await lines.next();
      if (answer.done) throw new Error(`${task.way} on ${task.name}: ${lines.lastError()}`);
      return JSON.parse(answer.value) as Turn;
    },
    async [Symbol.asyncDispose]() {
      child.stdin!.end();
      await ended;
    },
  };
}

interface Refusal {
  readonly refused: string;
}

/** The lines a child says, and the last one of its complaints. */
function answersOf(child: ChildProcess) {
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  let complaint = 'does not start';
  child.once('error', (error) => {
    complaint = error.message;
  });
  child.stderr!.on('data', (chunk: Buffer) => {
    complaint = chunk.toString().trim().split('\n').at(-1) ?? complaint;
  });
  return { next: () => lines.next(), lastError: () => complaint };
}
