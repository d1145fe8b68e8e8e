import { accountForDevice, finalAccount } from './accounting.ts';
import { anomalyReport } from './anomaly.ts';
import { feedbackReport } from './feedback-report.ts';
import { ledgerReport, roundsOnLedger } from './ledger-report.ts';
import type { MoteRecords } from './motes.ts';
import { predictionReport } from './prediction-report.ts';
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
  const ledger = ledgerReport(plan.edges, (index) => trial.edges[index]!.restarts);
  return {
    devices: plan.devices.map((device, index) => ({
      ...finalAccount(
        accountForDevice(device.name, {
          deviceFolder: device.dataFolder,
          edgeFolder: device.edge.dataFolder,
        }),
      ),
      edge: device.edge.name,
      restarts: trial.devices[index]!.restarts,
    })),
    rounds: ledger.verified ? roundsOnLedger(plan.edges[0]!) : [],
    anomaly: plan.devices.flatMap(({ name, mote, edge }) => {
      const record = mote === undefined ? [] : motes.readings.get(mote)!;
      const hasEvents = record.some(({ event }) => event);
      return hasEvents ? [anomalyReport(name, { edgeFolder: edge.dataFolder, record })] : [];
    }),
    feedback: plan.devices.flatMap(({ name, edge }) => {
      const feedback = feedbackReport(name, edge.dataFolder);
      return feedback.switched === 0 ? [] : [feedback];
    }),
    prediction: plan.devices.flatMap(({ name, mote, reporting, edge, dataFolder }) => {
      if (mote === undefined || !reporting) return [];
      const record = motes.readings.get(mote)!;
      const folders = { deviceFolder: dataFolder, edgeFolder: edge.dataFolder };
      return predictionReport(name, { ...folders, record, periodMs: plan.periodMs });
    }),
    ledger,
    edgeRestarts: trial.edges.reduce((sum, { restarts }) => sum + restarts, 0),
    seconds,
  };
}
