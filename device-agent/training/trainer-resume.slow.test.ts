import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startTrainer } from './trainer.ts';
import { digest, run, task, value } from './trainer-fixture.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-resume-'));
after(() => rmSync(root, { recursive: true }));
const program = fileURLToPath(new URL('./resumable-run.fixture.ts', import.meta.url));

/** Starts the program and kills it at its first checkpoint of `killAt` steps or more. */
async function trainUntilKilled(file: string, killAt: number): Promise<string[]> {
  const child = spawn(process.execPath, [program, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    const [what, steps] = line.split(' ');
    if (what === 'saved' && Number(steps) >= killAt) child.kill('SIGKILL');
  }
  const [, signal] = await ended;
  assert.equal(signal, killAt === Number.POSITIVE_INFINITY ? null : 'SIGKILL');
  return lines;
}

describe('a process that is killed while it trains', () => {
  it('goes on from its last checkpoint, to the same bits', async () => {
    const file = join(root, 'checkpoints.sqlite');
    let last = 0;
    for (const killAt of [200, 900, 901]) {
      const lines = await trainUntilKilled(file, Math.max(killAt, last + 1));
      const from = Number(lines[0]?.split(' ')[1]);
      assert.ok(from >= last, `goes on from ${from}, though step ${last} was safe`);
      assert.equal(from > 0, last > 0);
      last = Number(lines.at(-1)?.split(' ')[1]);
      assert.ok(last < 3000, 'was killed too late to show anything');
    }
    const [first, ...rest] = await trainUntilKilled(file, Number.POSITIVE_INFINITY);
    assert.ok(Number(first?.split(' ')[1]) >= last);

    await using trainer = startTrainer();
    const { parameters } = value(await trainer.defineTask(task));
    const whole = value(await trainer.train(run(parameters, { epochs: 300 })));
    assert.equal(rest.at(-1), `completed 3000 ${digest(whole.parameters)}`);
  });
});
