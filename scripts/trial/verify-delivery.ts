import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import { nameSchema } from '#shared/wire/names.ts';
import { accountForDevice, type DeviceAccount } from './accounting.ts';
import { deliveryTable } from './delivery-table.ts';
import { deliveryFailures } from './trial-report.ts';

/** What a trial writes into its folder beside its programs' own: see `describeTrial`. */
export const trialFile = 'trial.json';
export const temporaryTrial = 'diten-trial-';

const trialSchema = z.object({
  programs: z.array(
    z.union([
      z.object({ name: nameSchema, kind: z.literal('edge') }),
      z.object({ name: nameSchema, kind: z.literal('device'), edge: nameSchema }),
    ]),
  ),
});

export interface VerifyOptions {
  /** A trial's folder; the newest temporary one where left out. */
  readonly data?: string;
  /** File for the accounts. */
  readonly json?: string;
}

/**
 * Prints what became of every sample of a trial, running or ended, from the files of its programs.
 * Returns the exit code: 1 where a sample is missing or stored twice.
 *
 * Errors: `no-trial`, `trial-unreadable`, `report-unwritable`, those of `accountForDevice`.
 */
export function verifyDelivery({ data, json }: VerifyOptions): number {
  const folder = data === undefined ? newestTrial() : resolve(data);
  const devices = accountForTrial(folder);
  process.stdout.write(`${deliveryTable(devices)}\n`);
  if (json !== undefined) writeReport(json, { folder, devices });
  const failures = deliveryFailures(devices);
  for (const failure of failures) process.stderr.write(`diten: ${failure}\n`);
  return failures.length === 0 ? exitCode.ok : exitCode.failed;
}

/** The account of each device of the trial in a folder; errors as {@link verifyDelivery}. */
function accountForTrial(folder: string): DeviceAccount[] {
  const file = join(folder, trialFile);
  const parsed = trialSchema.safeParse(readJson(file));
  const devices = parsed.data?.programs.filter((program) => program.kind === 'device') ?? [];
  if (devices.length === 0) {
    throw new ProgramError(
      'trial-unreadable',
      `${file}: does not say which devices belong to which edge node; it is damaged, or of ` +
        'another DITEN: use the one that ran the trial',
    );
  }
  return devices.map(({ name, edge }) =>
    accountForDevice(name, {
      deviceFolder: join(folder, name, 'data'),
      edgeFolder: join(folder, edge, 'data'),
    }),
  );
}

function readJson(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ProgramError(
      'no-trial',
      `${file}: cannot read this (${(cause as Error).message}); give --data the folder of a trial`,
      { cause },
    );
  }
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no JSON is no description either
  }
}

function newestTrial(): string {
  const folders = readdirSync(tmpdir())
    .filter((name) => name.startsWith(temporaryTrial))
    .map((name) => join(tmpdir(), name))
    .flatMap((folder) => {
      const facts = statSync(join(folder, trialFile), { throwIfNoEntry: false });
      return facts === undefined ? [] : [{ folder, modifiedMs: facts.mtimeMs }];
    });
  const newest = folders.sort((a, b) => b.modifiedMs - a.modifiedMs)[0];
  if (newest !== undefined) return newest.folder;
  throw new ProgramError(
    'no-trial',
    `no trial in ${tmpdir()}; run one with --keep, or give --data the folder of one`,
  );
}

/** Errors: `report-unwritable`. */
function writeReport(file: string, report: object): void {
  try {
    writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  } catch (cause) {
    throw new ProgramError(
      'report-unwritable',
      `--json: the report cannot be written (${(cause as Error).message}); give another file`,
      { exit: exitCode.usage, cause },
    );
  }
}
