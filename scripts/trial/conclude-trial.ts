import { join } from 'node:path';
import { roundSummaries } from '#edge-node/federation/version-log.ts';
import { readLedgerFile, verifyLedgerFile } from '#edge-node/ledger/ledger.ts';
import { ProgramError } from '#runtime/process/program-error.ts';
import { type Failure, fail, type Result } from '#shared/basics/result.ts';
import type { Head } from '#shared/ledger/chain.ts';
import { accountForDevice } from './accounting.ts';
import { anomalyReport } from './anomaly.ts';
import type { MoteRecords } from './motes.ts';
import type { RunningTrial } from './run-trial.ts';
import type { TrialPlan } from './trial-plan.ts';
import type { TrialReport } from './trial-report.ts';

export interface FinishedTrial {
  readonly plan: TrialPlan;
  readonly motes: MoteRecords;
  readonly trial: RunningTrial;
}

/** Draws the report up from the files the programs left behind; nothing is taken on their word. */
export function concludeTrial(
  { plan, motes, trial }: FinishedTrial,
  seconds: TrialReport['seconds'],
): TrialReport {
  const edgeFolder = plan.edge.dataFolder;
  const ledgerFile = join(edgeFolder, 'ledger.sqlite');
  const verified = verify(ledgerFile);
  return {
    devices: plan.devices.map((device, index) => ({
      ...accountForDevice(device.name, { deviceFolder: device.dataFolder, edgeFolder }),
      restarts: trial.devices[index]!.restarts,
    })),
    rounds: verified.ok ? [...roundSummaries(readLedgerFile(ledgerFile))] : [],
    anomaly: plan.devices.flatMap(({ name, mote }) => {
      const record = mote === undefined ? [] : motes.readings.get(mote)!;
      const hasEvents = record.some(({ event }) => event);
      return hasEvents ? [anomalyReport(name, { edgeFolder, record })] : [];
    }),
    ledger: verified.ok
      ? { height: verified.value.height, verified: true }
      : { height: 0, verified: false, failure: verified.error.message },
    edgeRestarts: trial.edge.restarts,
    seconds,
  };
}

function verify(file: string): Result<Head, Failure> {
  try {
    return verifyLedgerFile(file);
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    return fail(error.code, error.message); // there is no such file, or it is no ledger at all
  }
}
