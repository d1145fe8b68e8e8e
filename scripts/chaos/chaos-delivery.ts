import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import { accountForDevice, type DeviceAccount, finalAccount } from '../trial/accounting.ts';
import { deliveryTable } from '../trial/delivery-table.ts';
import { deliveryFailures } from '../trial/trial-report.ts';
import { type Injected, runFaults } from './chaos-run.ts';
import { createChaosView } from './chaos-view.ts';
import { type CountedValues, countedValues } from './counted-values.ts';
import { planFaults } from './fault-plan.ts';
import { type ChaosDevice, type Field, startField } from './field.ts';

const DEVICES = 3;
const STOPS_MAX = 5;

export interface ChaosOptions {
  /** How long faults are injected. */
  readonly seconds: number;
  readonly seed: number;
  /** File for the report. */
  readonly json?: string;
  /** Leaves the programs' data and logs where they are. */
  readonly keep: boolean;
}

/** What a chaos run came to; the content of `--json FILE`. */
export interface ChaosReport extends Injected {
  /** From the first program's start to the last one's end. */
  readonly seconds: number;
  readonly seed: number;
  readonly devices: readonly (DeviceAccount & { readonly values: CountedValues })[];
  /** Ends of programs that nobody asked for. */
  readonly deaths: readonly string[];
}

/**
 * Runs an edge node and devices as processes of their own, injects the faults of a seed, heals all,
 * lets the devices hand over what they hold, and accounts for every sample from their files.
 * Returns the exit code: 1 where a sample is missing or stored twice, or a program ended by itself.
 *
 * Errors: `report-unwritable`.
 */
export async function chaosDelivery(options: ChaosOptions): Promise<number> {
  if (options.json !== undefined) write(options.json, '');
  const folder = mkdtempSync(join(tmpdir(), 'diten-chaos-'));
  const report = await runChaos(folder, options);
  process.stdout.write(`\n${summary(report)}\n`);
  if (options.json !== undefined) write(options.json, `${JSON.stringify(report, null, 2)}\n`);
  const failures = failuresOf(report);
  for (const failure of failures) process.stderr.write(`diten: ${failure}\n`);
  if (options.keep || failures.length > 0) process.stdout.write(`data       ${folder}\n`);
  else rmSync(folder, { recursive: true });
  return failures.length === 0 ? exitCode.ok : exitCode.failed;
}

async function runChaos(folder: string, { seconds, seed }: ChaosOptions): Promise<ChaosReport> {
  const startMs = performance.now();
  const deaths: string[] = [];
  const plan = planFaults({ seed, seconds, devices: DEVICES });
  using view = createChaosView({ seconds, planned: plan.length });
  view.note(`DITEN chaos: ${plan.length} faults in ${seconds} s, seed ${seed}, data in ${folder}`);
  const onDeath = (death: string) => {
    deaths.push(death);
    view.note(death);
  };
  using stop = stopSignal();
  await using field = await startField({ folder, devices: DEVICES, onDeath });
  const injected = await runFaults(field, plan, {
    stop: stop.signal,
    onFault: (fault, device) => view.fault(fault, device),
  });
  view.note('Healed: the devices hand over what they hold ...');
  await Promise.all(field.devices.map((device) => drain(device, { field, onDeath })));
  await stopped(field.edge, onDeath);
  return {
    seconds: (performance.now() - startMs) / 1000,
    seed,
    ...injected,
    devices: field.devices.map((device) => ({
      ...finalAccount(accountOf(device, field)),
      values: countedValues(device, field.edge.dataFolder),
    })),
    deaths,
  };
}

/** Stops a device; once more where it had no time to hand over all it held. */
async function drain(
  device: ChaosDevice,
  { field, onDeath }: { field: Field; onDeath: (death: string) => void },
): Promise<void> {
  await field.edge.ready();
  for (let stops = 0; stops < STOPS_MAX; stops++) {
    await device.program.ready();
    await stopped(device.program, onDeath);
    if (accountOf(device, field).waiting === 0) return;
    device.program.start();
  }
  await device.program.stop();
}

async function stopped(program: Field['edge'], onDeath: (death: string) => void): Promise<void> {
  const end = await program.stop();
  if (end !== exitCode.ok) onDeath(`${program.name} did not stop cleanly (${end})`);
}

function accountOf({ id, program }: ChaosDevice, { edge }: Field): DeviceAccount {
  const folders = { deviceFolder: program.dataFolder, edgeFolder: edge.dataFolder };
  return accountForDevice(id, folders);
}

/** Aborts on the first SIGINT or SIGTERM: no fault begins any more, and all is accounted for. */
function stopSignal(): { signal: AbortSignal } & Disposable {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    signal: stop.signal,
    [Symbol.dispose]: () => process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  };
}

function failuresOf({ devices, deaths }: ChaosReport): string[] {
  return [
    ...deliveryFailures(devices),
    ...devices.flatMap(({ id, values: { missing, repeated } }) => [
      ...(missing === 0 ? [] : [`${id}: ${missing} of the numbers it counted are not stored`]),
      ...(repeated === 0 ? [] : [`${id}: ${repeated} of the numbers it counted are stored twice`]),
    ]),
    ...deaths,
  ];
}

function summary({ seconds, faults, skipped, devices }: ChaosReport): string {
  const total = Object.values(faults).reduce((sum, count) => sum + count, 0);
  const kinds = Object.entries(faults).map(([kind, count]) => `${kind} ${count}`);
  return [
    `faults     ${total} in ${seconds.toFixed(0)} s: ${kinds.join(', ')}`,
    ...skipped.map(({ kind, reason }) => `skipped    ${kind}: ${reason}`),
    '',
    deliveryTable(devices),
  ].join('\n');
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw new ProgramError(
      'report-unwritable',
      `--json: the report cannot be written (${(cause as Error).message}); give another file`,
      { exit: exitCode.usage, cause },
    );
  }
}
