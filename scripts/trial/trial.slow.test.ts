import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { NodeStatus } from '#edge-node/api/status.ts';
import type { TrialReport } from './trial-report.ts';

const DITEN = fileURLToPath(new URL('../diten.ts', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'diten-trial-test-'));
after(() => rmSync(root, { recursive: true, maxRetries: 5 }));

interface StartedTrial {
  readonly child: ChildProcess;
  readonly folder: string;
  readonly json: string;
  readonly apiUrls: readonly string[];
  output(): string;
}

async function startTrial(seconds: number, more: string[] = []): Promise<StartedTrial> {
  const folder = mkdtempSync(join(root, 'data-'));
  const json = join(folder, '..', `${basename(folder)}.json`);
  const child = spawn(
    process.execPath,
    [DITEN, 'trial', '--seconds', String(seconds), '--data', folder, '--json', json, ...more],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  }
  while (!output.includes('API: ')) await sleep(20);
  const apiUrls = output
    .matchAll(/(http:\/\/[\d.:]+)\/api/g)
    .map(([, url]) => url!)
    .toArray();
  return { child, folder, json, apiUrls, output: () => output };
}

/** Of the edge nodes that answer. */
async function statuses({ apiUrls }: StartedTrial): Promise<NodeStatus[]> {
  const answers = apiUrls.map(async (url) => {
    try {
      const response = await fetch(`${url}/status`, { signal: AbortSignal.timeout(1000) });
      return (await response.json()) as NodeStatus;
    } catch {
      return undefined; // between a kill and the restart, or stopped
    }
  });
  return (await Promise.all(answers)).filter((answer) => answer !== undefined);
}

async function until(trial: StartedTrial, condition: (nodes: NodeStatus[]) => boolean) {
  for (;;) {
    if (condition(await statuses(trial))) return;
    assert.equal(trial.child.exitCode, null, trial.output());
    await sleep(50);
  }
}

const devicesOf = (nodes: NodeStatus[]) => nodes.flatMap(({ devices }) => devices);
const roundsOf = (nodes: NodeStatus[]) => nodes.flatMap(({ learning }) => learning?.rounds ?? []);
const heightOf = (nodes: NodeStatus[]) => Math.max(...nodes.map(({ ledger }) => ledger.height));

/** Signals one program of the trial, by the id of its process; by default ends it the hard way. */
function kill(trial: StartedTrial, name: string, signal: NodeJS.Signals = 'SIGKILL'): void {
  const { programs } = JSON.parse(readFileSync(join(trial.folder, 'trial.json'), 'utf8')) as {
    programs: { name: string; pid: number }[];
  };
  process.kill(programs.find((program) => program.name === name)!.pid, signal);
}

async function finish(trial: StartedTrial): Promise<TrialReport> {
  if (trial.child.exitCode === null) await once(trial.child, 'exit');
  assert.equal(trial.child.exitCode, 0, trial.output());
  return JSON.parse(readFileSync(trial.json, 'utf8')) as TrialReport;
}

function assertNothingLost({ devices }: TrialReport) {
  for (const { id, produced, committed, missing, duplicated } of devices) {
    assert.deepEqual({ id, missing, duplicated }, { id, missing: 0, duplicated: 0 });
    assert.ok(produced > 0 && committed === produced, id);
  }
}

/** Every node's file holds, and all have come to the same state. */
function assertOneLedger({ ledger }: TrialReport, nodes: number) {
  assert.ok(ledger.verified, ledger.failure);
  assert.equal(ledger.nodes.length, nodes);
  assert.ok(ledger.nodes.every(({ verified }) => verified));
  assert.equal(new Set(ledger.nodes.map(({ stateDigest }) => stateDigest)).size, 1);
  assert.ok(ledger.nodes.every(({ height }) => height > 0 && height >= ledger.height - 1));
}

describe('field trial', { timeout: 240_000 }, () => {
  it('loses nothing when agents and edge nodes are killed, and learns', async () => {
    const trial = await startTrial(120);
    // Two motes send everything; of the others' samples few are sent.
    await until(
      trial,
      (nodes) =>
        devicesOf(nodes).filter(({ samples }) => samples > 500).length >= 2 &&
        devicesOf(nodes).filter(({ samples }) => samples > 100).length >= 4,
    );
    kill(trial, 'mote-1');
    kill(trial, 'edge-3');
    await until(trial, (nodes) => roundsOf(nodes).length >= 2);
    kill(trial, 'edge-1');
    await sleep(2000);
    await until(trial, (nodes) => roundsOf(nodes).length >= 3);
    assert.equal(devicesOf(await statuses(trial)).length, 5);
    trial.child.kill('SIGINT');

    const report = await finish(trial);
    assertNothingLost(report);
    assertOneLedger(report, 4);
    assert.equal(report.devices.length, 5);
    assert.equal(report.devices.find(({ id }) => id === 'mote-1')?.restarts, 1);
    assert.deepEqual(
      report.ledger.nodes.map(({ restarts }) => restarts),
      [1, 0, 1, 0],
    );
    assert.ok(report.rounds.length >= 3);
    assert.deepEqual(
      report.rounds.map(({ round }) => round),
      report.rounds.map((_, index) => index + 1),
    );
    assert.ok(report.rounds.at(-1)!.loss < report.rounds[0]!.loss);
    assert.equal(report.prediction.length, 4);
    for (const { worstError, tolerance, samples, reports } of report.prediction) {
      assert.ok(worstError !== null && worstError <= tolerance, `${worstError}`);
      assert.ok(reports * 5 < samples, `${reports} of ${samples}`);
    }
  });

  it('makes no block while two of four edge nodes are away, and goes on after', async () => {
    const trial = await startTrial(600);
    await until(trial, (nodes) => roundsOf(nodes).length >= 1);
    for (const name of ['edge-2', 'edge-4']) kill(trial, name, 'SIGSTOP');
    await sleep(1000); // what was on its way arrives
    const before = heightOf(await statuses(trial));
    await sleep(4000);
    assert.equal(heightOf(await statuses(trial)), before);
    kill(trial, 'edge-2', 'SIGCONT');
    await until(trial, (nodes) => heightOf(nodes) > before);
    kill(trial, 'edge-4', 'SIGCONT');
    trial.child.kill('SIGINT');
    const report = await finish(trial);
    assertNothingLost(report);
    assertOneLedger(report, 4);
  });

  it('runs with one edge node, says what that is worth, and ends on an interrupt', async () => {
    const trial = await startTrial(600, ['--edges', '1']);
    await until(
      trial,
      (nodes) => devicesOf(nodes).filter(({ samples }) => samples > 0).length === 5,
    );
    trial.child.kill('SIGINT');
    await sleep(50);
    trial.child.kill('SIGINT'); // as it comes from a group and its launcher: one signal still
    const report = await finish(trial);
    assertNothingLost(report);
    assertOneLedger(report, 1);
    assert.match(trial.output(), /tamper-evident only/);
    assert.match(trial.output(), /mote-4 +edge-1 +\d+/);
  });

  it('takes its programs with it when it is killed', async () => {
    const trial = await startTrial(600);
    await until(trial, (nodes) => devicesOf(nodes).length === 5);
    const { programs } = JSON.parse(readFileSync(join(trial.folder, 'trial.json'), 'utf8')) as {
      programs: { pid: number }[];
    };
    trial.child.kill('SIGKILL');
    const alive = () =>
      programs.filter(({ pid }) => {
        try {
          return process.kill(pid, 0);
        } catch {
          return false;
        }
      });
    while (alive().length > 0) await sleep(50);
  });

  for (const [name, options, says] of [
    ['a folder that is not empty', ['--data', root], /^diten: .* is not empty; .*\n$/],
    ['a folder that is a file', ['--data', DITEN], /^diten: .*EEXIST.*\n$/],
    ['a report that cannot be written', ['--json', root], /^diten: .*EISDIR.*\n$/],
  ] as const) {
    it(`refuses ${name} before it starts`, async () => {
      const child = spawn(process.execPath, [DITEN, 'trial', ...options]);
      let stderr = '';
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk;
      });
      await once(child, 'close');
      assert.equal(child.exitCode, 2);
      assert.match(stderr, says);
    });
  }
});
