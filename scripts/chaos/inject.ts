import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { outboxSchema } from '#device-agent/outbox/outbox-schema.ts';
import { openDatabaseReadOnly } from '#runtime/database/database.ts';
import { connectMqtt } from '#runtime/mqtt/mqtt-js-client.ts';
import { silentLog } from '#runtime/observe/log.ts';
import type { ChaosProgram } from './chaos-program.ts';
import { fillDisk, freeDisk } from './disk-limit.ts';
import type { Fault } from './fault-plan.ts';
import type { ChaosDevice, Field } from './field.ts';

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const YEARS_AHEAD_MAX = 20;
const DAYS_BACK_MAX = 700;
/** Per 2 KiB. */
const SLOW_MS_MAX = 400;
const OTHER_EPOCH = 'fedcba9876543210';

/** The parts of the field that a fault has to itself while it lasts. */
export function partsOf({ kind, device }: Fault): string[] {
  const program = `device ${device}`;
  const link = `link ${device}`;
  switch (kind) {
    case 'kill-both':
      return ['edge', program];
    case 'kill-edge':
    case 'pause-edge':
    case 'disk-full-edge':
      return ['edge'];
    case 'cut-link':
    case 'half-open':
    case 'slow-link':
    case 'reset-link':
      return [link];
    case 'cut-all':
      return ['links'];
    case 'clock-edge':
      return ['clock of the edge'];
    case 'clock-ahead':
    case 'clock-back':
      return [`clock ${device}`];
    default:
      return [program];
  }
}

/**
 * Makes one fault happen and takes it back; resolves when that is done.
 *
 * Errors: where this machine does not allow it, saying why.
 */
export async function inject(field: Field, fault: Fault): Promise<void> {
  const { edge, devices } = field;
  const device = devices[fault.device]!;
  const { relay, program } = device;
  const lasting = () => sleep(fault.durationMs);
  switch (fault.kind) {
    case 'kill-agent':
      return killed([program], fault);
    case 'kill-edge':
      return killed([edge], fault);
    case 'kill-both':
      return killed([edge, program], fault);
    case 'pause-agent':
      return paused(program, lasting);
    case 'pause-edge':
      return paused(edge, lasting);
    case 'cut-link':
      relay.cut();
      break;
    case 'cut-all':
      for (const each of devices) each.relay.cut();
      break;
    case 'half-open':
      relay.block();
      break;
    case 'slow-link':
      relay.slow(Math.ceil(SLOW_MS_MAX * fault.amount));
      break;
    case 'reset-link':
      relay.resetNext();
      break;
    case 'disk-full-agent':
      return withFullDisk(program, lasting);
    case 'disk-full-edge':
      return withFullDisk(edge, lasting);
    case 'clock-ahead':
      return jumped(program, yearsAhead(fault.amount), lasting);
    case 'clock-back':
      return jumped(program, daysBack(fault.amount), lasting);
    case 'clock-edge': {
      const { amount } = fault;
      return jumped(edge, amount < 0.5 ? daysBack(2 * amount) : yearsAhead(amount), lasting);
    }
    case 'restore-copy':
      return restored(program, lasting);
    case 'duplicate-client':
      return impersonated(field, device, fault);
  }
  await lasting();
  for (const each of fault.kind === 'cut-all' ? devices : [device]) each.relay.heal();
}

const yearsAhead = (amount: number) => Math.ceil(YEAR_MS * YEARS_AHEAD_MAX * amount);
const daysBack = (amount: number) => -Math.ceil(DAY_MS * DAYS_BACK_MAX * amount);

async function killed(programs: readonly ChaosProgram[], { amount }: Fault): Promise<void> {
  await Promise.all(programs.map((program) => program.kill()));
  await sleep(1500 * amount);
  for (const program of programs) program.start();
  await Promise.all(programs.map((program) => program.ready()));
}

async function paused(program: ChaosProgram, lasting: () => Promise<void>): Promise<void> {
  program.signal('SIGSTOP');
  await lasting();
  program.signal('SIGCONT');
}

async function withFullDisk(program: ChaosProgram, lasting: () => Promise<void>): Promise<void> {
  const { pid } = program;
  await fillDisk(pid);
  await lasting();
  if (program.pid === pid) await freeDisk(pid);
}

async function jumped(
  program: ChaosProgram,
  shiftMs: number,
  lasting: () => Promise<void>,
): Promise<void> {
  writeFileSync(program.clockFile, String(shiftMs));
  await lasting();
  writeFileSync(program.clockFile, '0');
}

/** Copies the folder of a program that is down, lets it run on, and brings the copy back. */
async function restored(program: ChaosProgram, lasting: () => Promise<void>): Promise<void> {
  const copy = join(program.folder, 'copy');
  await program.kill();
  cpSync(program.dataFolder, copy, { recursive: true });
  program.start();
  await program.ready();
  await lasting();
  await program.kill();
  rmSync(program.dataFolder, { recursive: true });
  cpSync(copy, program.dataFolder, { recursive: true });
  rmSync(copy, { recursive: true });
  program.start();
  await program.ready();
}

/** Connects as the device: under its own outbox's epoch, taking over, or under another. */
async function impersonated(field: Field, device: ChaosDevice, fault: Fault): Promise<void> {
  const username = fault.amount < 0.5 ? OTHER_EPOCH : epochOf(device);
  await using _client = connectMqtt({
    url: `mqtt://127.0.0.1:${field.brokerPort}`,
    clientId: device.id,
    username,
    keepaliveSeconds: 5,
    reconnectPeriodMs: 50,
    log: silentLog,
  });
  await sleep(fault.durationMs);
}

function epochOf({ program }: ChaosDevice): string {
  const file = join(program.dataFolder, 'outbox.sqlite');
  const database = openDatabaseReadOnly(file, outboxSchema);
  const { epoch } = database.prepare('SELECT epoch FROM outbox').get() as { epoch: string };
  database.close();
  return epoch;
}
