import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const MODULE = new URL('./run-program.ts', import.meta.url).href;
const ERRORS = new URL('./program-error.ts', import.meta.url).href;

/** Starts a program whose body is `source`; resolves when it has said that it is up, or ended. */
async function start(source: string) {
  const script = `
    import { runProgram } from ${JSON.stringify(MODULE)};
    import { configurationError } from ${JSON.stringify(ERRORS)};
    await runProgram(async ({ fail }) => { ${source} });`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  const streams = [child.stdout!, child.stderr!];
  for (const stream of streams) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  }
  // Not 'close', which does not come once the channel has been disconnected from this side.
  const ended = [once(child, 'exit'), ...streams.map((stream) => once(stream, 'end'))];
  const exited = Promise.all(ended).then(() => child.exitCode);
  await Promise.race([once(child, 'message'), exited]);
  return { child, exited, output: () => output };
}

const keepRunning = 'const timer = setInterval(() => undefined, 1000);';
const disposal = (body: string) =>
  `${keepRunning} return { async [Symbol.asyncDispose]() { ${body}; clearInterval(timer); } };`;

describe('program', { timeout: 40_000 }, () => {
  for (const [name, stop] of [
    ['SIGTERM', (child: ChildProcess) => child.kill('SIGTERM')],
    ['SIGINT', (child: ChildProcess) => child.kill('SIGINT')],
    ['the loss of its parent', (child: ChildProcess) => child.disconnect()],
  ] as const) {
    it(`is disposed of on ${name}`, async () => {
      const program = await start(disposal('console.log("disposed")'));
      stop(program.child);
      assert.equal(await program.exited, 0);
      assert.match(program.output(), /disposed/);
    });
  }

  it('is disposed of where it is told to stop while it is starting', async () => {
    const program = await start(
      `process.send('starting'); await new Promise((done) => setTimeout(done, 300));
      ${disposal('console.log("disposed")')}`,
    );
    program.child.kill('SIGTERM');
    assert.equal(await program.exited, 0);
    assert.match(program.output(), /disposed/);
  });

  it('takes a repeated signal for the same one, a later one for haste', async () => {
    const program = await start(disposal('await new Promise(() => undefined)'));
    program.child.kill('SIGTERM');
    await sleep(50);
    program.child.kill('SIGTERM');
    await sleep(600);
    assert.equal(program.child.exitCode, null);
    program.child.kill('SIGTERM');
    assert.equal(await program.exited, 1);
  });

  it('says in one line what is wrong with its configuration', async () => {
    const program = await start(`throw configurationError('port-taken', 'port 1 is taken');`);
    assert.equal(await program.exited, 78);
    assert.equal(program.output(), 'diten: port 1 is taken [port-taken]\n');
  });

  it('ends when a part of it fails for good', async () => {
    const program = await start(
      `setTimeout(() => fail(configurationError('x', 'no mend')), 20);
      ${disposal('console.log(1)')}`,
    );
    assert.equal(await program.exited, 78);
    assert.match(program.output(), /diten: no mend \[x\]\n/);
  });

  it('does not hide an unexpected failure', async () => {
    const program = await start(`setTimeout(() => { throw new Error('oops'); }, 20);
      ${disposal('')}`);
    assert.equal(await program.exited, 1);
    assert.match(program.output(), /oops/);
  });
});
