import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import { SAME_SIGNAL_MS } from '#runtime/process/run-program.ts';
import { faultTolerance } from '../ledger/fault-tolerance.ts';
import { concludeTrial } from './conclude-trial.ts';
import { type MoteRecords, originalPeriodMs, readMotes } from './motes.ts';
import { type SupervisedProgram, superviseProgram } from './supervisor.ts';
import { type PlannedDevice, planTrial, type TrialPlan } from './trial-plan.ts';
import { failuresOf, summaryOf } from './trial-report.ts';
import { fetchStatuses, ledgersSettle } from './trial-status.ts';
import { createTrialView, type TrialView } from './trial-view.ts';
import { temporaryTrial, trialFile } from './verify-delivery.ts';

export interface TrialOptions {
  readonly seconds: number;
  /** Edge nodes, each with a broker and a ledger file of its own. */
  readonly edges: number;
  /** Folder for the programs' data; a temporary one where left out. */
  readonly data?: string;
  /** Leaves the data where they are. */
  readonly keep: boolean;
  /** File for the report. */
  readonly json?: string;
}

const VIEW_PERIOD_MS = 250;

/**
 * Runs a field trial: every program a process of its own, started again when it dies. Ends after
 * its time or on the first SIGINT or SIGTERM, hands over what is still under way, and accounts for
 * every sample. Returns the exit code: 1 where a sample is missing or doubled, or the ledger is not
 * valid.
 */
export async function runTrial(options: TrialOptions): Promise<number> {
  const startedMs = Number(process.env.DITEN_STARTED_AT_MS ?? Date.now());
  const installSeconds = Number(process.env.DITEN_INSTALL_SECONDS ?? 0);
  const motes = readMotes();
  if (options.json !== undefined) requireWritable(options.json);
  const folder = prepareFolder(options.data);
  const plan = await planTrial(folder, { ...options, motes });
  const view = createTrialView(process.stdout);
  view.note(`DITEN field trial: ${options.seconds} s, data in ${folder}`);
  const speed = (originalPeriodMs / plan.periodMs).toFixed(0);
  view.note(`The motes' record is replayed ${speed} times as fast as it was taken`);
  view.note(`API: ${plan.edges.map(({ apiUrl }) => `${apiUrl}/api/2/things`).join(' ')}`);
  view.note(`Ledger: ${faultTolerance(options.edges)}`);

  const stop = stopSignal();
  const trial = startPrograms(plan, view);
  describeTrial(plan, trial);
  let toFirstTwin: number | null = null;
  try {
    toFirstTwin = await watch(trial, {
      plan,
      view,
      motes,
      seconds: options.seconds,
      stop,
      onFirstTwinMs: () => (Date.now() - startedMs) / 1000 - installSeconds,
    });
  } finally {
    view.end();
    process.stdout.write('Ending: the devices hand over what they hold ...\n');
    await stopInOrder(plan, trial);
  }
  if (trial.fatal !== undefined) throw trial.fatal;

  const report = concludeTrial(
    { plan, motes, trial },
    {
      install: installSeconds,
      toFirstTwin,
      total: (Date.now() - startedMs) / 1000,
    },
  );
  process.stdout.write(`\n${summaryOf(report)}\n`);
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  if (options.keep || options.data !== undefined) process.stdout.write(`data       ${folder}\n`);
  else rmSync(folder, { recursive: true });
  const failures = failuresOf(report);
  for (const failure of failures) process.stderr.write(`diten: ${failure}\n`);
  return failures.length === 0 ? exitCode.ok : exitCode.failed;
}

export interface RunningTrial {
  readonly edges: readonly SupervisedProgram[];
  readonly devices: readonly SupervisedProgram[];
  /** Why it cannot go on. */
  fatal?: Error;
}

/** Aborts on the first SIGINT or SIGTERM; a later one ends the trial at once, without a report. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  let sinceMs = 0;
  const onSignal = () => {
    if (!stop.signal.aborted) sinceMs = performance.now();
    else if (performance.now() - sinceMs >= SAME_SIGNAL_MS) process.exit(exitCode.failed);
    stop.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return stop.signal;
}

function requireWritable(file: string): void {
  try {
    closeSync(openSync(file, 'a'));
  } catch (cause) {
    throw new ProgramError(
      'report-unwritable',
      `--json: the report cannot be written (${(cause as Error).message}); give another file`,
      { exit: exitCode.usage, cause },
    );
  }
}

function prepareFolder(data: string | undefined): string {
  if (data === undefined) return mkdtempSync(join(tmpdir(), temporaryTrial));
  const folder = resolve(data);
  try {
    mkdirSync(folder, { recursive: true });
    if (readdirSync(folder).length === 0) return folder;
  } catch (cause) {
    throw new ProgramError(
      'data-folder-unwritable',
      `--data: cannot use this folder (${(cause as Error).message}); give another one`,
      { exit: exitCode.usage, cause },
    );
  }
  throw new ProgramError(
    'data-folder-not-empty',
    `${folder} is not empty; give --data an empty or new folder, nothing is overwritten`,
    { exit: exitCode.usage },
  );
}

function startPrograms(plan: TrialPlan, view: TrialView): RunningTrial {
  const trial: { fatal?: Error } = {};
  const hooks = {
    onRestart: (name: string, cause: string) =>
      view.note(`${name} died (${cause}) and is started again`),
    onFatal: (error: Error) => {
      trial.fatal ??= error;
    },
  };
  return Object.assign(trial, {
    edges: plan.edges.map((edge) => superviseProgram(edge, hooks)),
    devices: plan.devices.map((device) => superviseProgram(device, hooks)),
  });
}

/** Writes down what runs where, for scripts that look into a running trial. */
function describeTrial({ folder, edges, devices }: TrialPlan, trial: RunningTrial): void {
  const pids = [...trial.edges, ...trial.devices].map(({ pid }) => pid);
  const programs = [...edges, ...devices].map((program, index) => {
    const { name, kind, configFile, dataFolder } = program;
    const edge = 'edge' in program ? { edge: program.edge.name } : {};
    return { name, kind, configFile, dataFolder, ...edge, pid: pids[index] };
  });
  const apiUrls = edges.map(({ apiUrl }) => apiUrl);
  const file = join(folder, trialFile);
  writeFileSync(`${file}.new`, `${JSON.stringify({ apiUrls, programs }, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}

interface Watch {
  readonly plan: TrialPlan;
  readonly view: TrialView;
  readonly motes: MoteRecords;
  readonly seconds: number;
  readonly stop: AbortSignal;
  onFirstTwinMs(): number;
}

/** Shows the progress until the time is up or a signal comes; returns seconds to the first twin. */
async function watch(trial: RunningTrial, options: Watch): Promise<number | null> {
  const { plan, view, motes, seconds, stop } = options;
  const startMs = performance.now();
  const elapsedSeconds = () => (performance.now() - startMs) / 1000;
  let toFirstTwin: number | null = null;
  while (elapsedSeconds() < seconds && !stop.aborted && trial.fatal === undefined) {
    const statuses = await fetchStatuses(plan.edges);
    describeTrial(plan, trial); // a restart changes the ids of processes
    const devices = [...statuses.values()].flatMap((status) => status.devices);
    if (toFirstTwin === null && devices.some(({ samples }) => samples > 0)) {
      toFirstTwin = options.onFirstTwinMs();
    }
    view.show({
      elapsedSeconds: elapsedSeconds(),
      totalSeconds: seconds,
      programs: [...trial.edges, ...trial.devices].map((program) => ({
        name: program.name,
        pid: program.pid,
        restarts: program.restarts,
        ...expectedSamples(plan, motes, program.name),
      })),
      statuses,
    });
    const pauseMs = toFirstTwin === null ? 50 : VIEW_PERIOD_MS;
    await sleep(pauseMs, null, { signal: stop }).catch(() => null);
  }
  return toFirstTwin;
}

function expectedSamples(plan: TrialPlan, motes: MoteRecords, name: string) {
  const device: PlannedDevice | undefined = plan.devices.find((each) => each.name === name);
  if (device?.mote === undefined || device.reporting) return {};
  // Temperature, humidity, and for nearly every reading a score.
  return { expected: 3 * motes.readings.get(device.mote)!.length };
}

/** The devices first, while the edge nodes still take what they hold. */
async function stopInOrder(plan: TrialPlan, { edges, devices }: RunningTrial): Promise<void> {
  await Promise.all(devices.map((device) => device.stop()));
  await ledgersSettle(plan.edges);
  await Promise.all(edges.map((edge) => edge.stop()));
}
