import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LoadCommand } from './load-command.ts';

const MAIN = fileURLToPath(new URL('./load-main.ts', import.meta.url));

/** A load generator in a process of its own. */
export interface LoadProcess extends AsyncDisposable {
  /** Has it do one thing, and resolves with what it found. Rejects where it failed or ended. */
  run<T>(command: LoadCommand): Promise<T>;
}

/** One that waits for commands; it ends with this process. */
export function startLoad(): LoadProcess {
  const child = spawn(process.execPath, [MAIN], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  child.stdin.on('error', () => undefined); // its end says it all
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async run<T>(command: LoadCommand) {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      const line = await lines.next();
      if (line.done) throw new Error(`a load generator has ended while it did ${command.kind}`);
      const answer = JSON.parse(line.value) as T & { failure?: string };
      if (answer.failure !== undefined) throw new Error(`${command.kind}: ${answer.failure}`);
      return answer;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(timer);
    },
  };
}
