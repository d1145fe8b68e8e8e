import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  readonly apiUrl: string;
  output(): string;
}

async function startTrial(seconds: number): Promise<StartedTrial> {
  const folder = mkdtempSync(join(root, 'data-'));
  const json = join(root, `${seconds}.json`);
  const child = spawn(
    process.execPath,
    [DITEN, 'trial', '--seconds', String(seconds), '--data', folder, '--json', json],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  }
  while (!output.includes('API: ')) await sleep(20);
  const apiUrl = /API: (http:\/\/[\d.:]+)/.exec(output)![1]!;
  return { child, folder, json, apiUrl, output: () => output };
}

async function status(trial: StartedTrial): Promise<NodeStatus | undefined> {
  try {
    return (await (await fetch(`${trial.apiUrl}/status`)).json()) as NodeStatus;
  } catch {
    return undefined; // between a kill and the restart
  }
}

async function until(trial: StartedTrial, condition: (status: NodeStatus) => boolean) {
  for (;;) {
    const now = await status(trial);
    if (now !== undefined && condition(now)) return;
    assert.equal(trial.child.exitCode, null, trial.output());
    await sleep(50);
  }
}

/** Ends one program of the trial the hard way, by the id of its process. */
async function kill(trial: StartedTrial, name: string): Promise<void> {
  const { programs } = JSON.parse(readFileSync(join(trial.folder, 'trial.json'), 'utf8')) as {
    programs: { name: string; pid: number }[];
  };
  process.kill(programs.find((program) => program.name === name)!.pid, 'SIGKILL');
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

describe('field trial', { timeout: 240_000 }, () => {
  it('loses nothing when an agent and the edge node are killed, and learns', async () => {
    const trial = await startTrial(25);
    await until(trial, ({ devices }) => devices.filter(({ samples }) => samples > 500).length >= 4);
    await kill(trial, 'mote-1');
    await sleep(3000);
    await kill(trial, 'edge-1');
    await sleep(2000);
    await until(trial, ({ learning }) => (learning?.rounds.length ?? 0) >= 3);
    const things = await (await fetch(`${trial.apiUrl}/api/2/things`)).json();
    assert.equal((things as unknown[]).length, 5);

    const report = await finish(trial);
    assertNothingLost(report);
    assert.equal(report.devices.length, 5);
    assert.equal(report.devices.find(({ id }) => id === 'mote-1')?.restarts, 1);
    assert.equal(report.edgeRestarts, 1);
    assert.ok(report.rounds.length >= 5);
    assert.deepEqual(
      report.rounds.map(({ round }) => round),
      report.rounds.map((_, index) => index + 1),
    );
    assert.ok(report.rounds.at(-1)!.loss < report.rounds[0]!.loss);
    assert.ok(report.ledger.verified && report.ledger.height === report.rounds.length + 1);
    assert.deepEqual(
      report.anomaly.map(({ device }) => device),
      ['mote-1', 'mote-4'],
    );
    for (const { auc, events } of report.anomaly) assert.ok(auc! >= 0.97 && events > 0);
  });

  it('ends in order on the first interrupt', async () => {
    const trial = await startTrial(600);
    await until(trial, ({ devices }) => devices.filter(({ samples }) => samples > 0).length === 5);
    trial.child.kill('SIGINT');
    await sleep(50);
    trial.child.kill('SIGINT'); // as it comes from a group and its launcher: one signal still
    const report = await finish(trial);
    assertNothingLost(report);
    assert.match(trial.output(), /mote-4\s+\d+/);
  });

  it('takes its programs with it when it is killed', async () => {
    const trial = await startTrial(600);
    await until(trial, ({ devices }) => devices.length === 5);
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
