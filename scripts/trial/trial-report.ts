import type { RoundSummary } from '#edge-node/federation/version-log.ts';
import type { DeviceAccount } from './accounting.ts';
import type { AnomalyReport } from './anomaly.ts';
import type { FeedbackReport } from './feedback-report.ts';
import type { PredictionReport } from './prediction-report.ts';

/** What a trial came to; the content of `--json FILE`. */
export interface TrialReport {
  readonly devices: readonly DeviceReport[];
  readonly rounds: readonly RoundSummary[];
  readonly anomaly: readonly AnomalyReport[];
  /** Of devices on which the feedback rule acted. */
  readonly feedback: readonly FeedbackReport[];
  /** Of properties that were sent in part. */
  readonly prediction: readonly PredictionReport[];
  readonly ledger: LedgerReport;
  /** Over all edge nodes. */
  readonly edgeRestarts: number;
  readonly seconds: {
    /** Spent installing dependencies before this start; 0 where nothing was missing. */
    readonly install: number;
    /** From the start of the command to the first twin at the API, installation left out. */
    readonly toFirstTwin: number | null;
    readonly total: number;
  };
}

export interface DeviceReport extends DeviceAccount {
  /** The edge node that hosts its twin. */
  readonly edge: string;
  readonly restarts: number;
}

export interface LedgerReport {
  /** The greatest that a node's file has. */
  readonly height: number;
  /** Whether each file, read from genesis, holds all its promises, and no two contradict. */
  readonly verified: boolean;
  readonly failure?: string;
  readonly nodes: readonly LedgerNodeReport[];
}

/** One edge node's file of the ledger. */
export interface LedgerNodeReport {
  readonly id: string;
  readonly height: number;
  /** Digest of the state at the greatest height that all files have. */
  readonly stateDigest: string | null;
  readonly verified: boolean;
  readonly failure?: string;
  readonly restarts: number;
}

/** Every reason why a trial failed, in a sentence each; none where it succeeded. */
export function failuresOf({ devices, prediction, ledger }: TrialReport): string[] {
  const failures = deliveryFailures(devices);
  for (const each of prediction) {
    if (isKept(each)) continue;
    const { device, property, worstError, tolerance } = each;
    const off = worstError === null ? 'had no answer' : `was off by ${worstError}`;
    failures.push(`${device}: the twin ${off} at a sample of ${property}, beyond ${tolerance}`);
  }
  return ledger.verified ? failures : [...failures, `the ledger is not valid: ${ledger.failure}`];
}

/** Why accounts of delivery are not in order, a sentence each. */
export function deliveryFailures(
  devices: readonly Pick<DeviceAccount, 'id' | 'missing' | 'duplicated'>[],
): string[] {
  return devices.flatMap(({ id, missing, duplicated }) => [
    ...(missing === 0 ? [] : [`${id}: ${missing} samples are missing`]),
    ...(duplicated === 0 ? [] : [`${id}: ${duplicated} samples are stored twice`]),
  ]);
}

/** The report as a person reads it. */
export function summaryOf(report: TrialReport): string {
  const { devices, rounds, anomaly, feedback, prediction, ledger, seconds } = report;
  const first = rounds[0];
  const last = rounds.at(-1);
  const lines = [
    table(
      ['device', 'edge', 'produced', 'committed', 'missing', 'duplicated', 'restarts'],
      devices.map((device) => [
        device.id,
        device.edge,
        device.produced,
        device.committed,
        device.missing,
        device.duplicated,
        device.restarts,
      ]),
    ),
    '',
    first === undefined || last === undefined
      ? 'learning   no round was completed'
      : `learning   ${rounds.length} rounds, loss ${first.loss.toFixed(4)} -> ` +
        `${last.loss.toFixed(4)}, model ${last.modelDigest.slice(0, 12)}`,
    ...anomaly.map(
      ({ device, auc, persistenceAuc, events }) =>
        `anomaly    ${device}: AUC ${decimal(auc)} against ${events} labelled readings ` +
        `(persistence ${decimal(persistenceAuc)})`,
    ),
    ...feedback.map(
      ({ device, switched, taken, medianMs }) =>
        `feedback   ${device}: its anomaly score switched the warning output ${switched} times, ` +
        `taken ${taken} times, after ${medianMs === null ? '-' : `${medianMs} ms`} in the middle`,
    ),
    ...prediction.map(predictionLine),
    ...ledger.nodes.map(
      (node) =>
        `ledger     ${node.id}: height ${node.height}, state ` +
        `${node.stateDigest?.slice(0, 12) ?? '-'}, ` +
        `${node.verified ? 'verified from genesis' : `NOT VALID: ${node.failure}`}, ` +
        `${node.restarts} restarts`,
    ),
    ...(ledger.failure === undefined ? [] : [`ledger     ${ledger.failure}`]),
    `time       ${seconds.total.toFixed(1)} s, first twin after ` +
      `${seconds.toFirstTwin === null ? '-' : seconds.toFirstTwin.toFixed(1)} s`,
  ];
  return lines.join('\n');
}

/** Whether the twin was within the tolerance at every original sample. */
function isKept({ worstError, tolerance }: PredictionReport): boolean {
  return worstError !== null && worstError <= tolerance;
}

function predictionLine(report: PredictionReport): string {
  const { device, property, tolerance, worstError, samples, reports, factor } = report;
  const kept = isKept(report) ? 'yes' : 'NO';
  return (
    `prediction ${device} ${property}: ${reports} of ${samples} samples sent ` +
    `(${factor === null ? '-' : factor.toFixed(1)} times fewer), the twin off by ` +
    `${decimal(worstError)} at most, within ${tolerance}: ${kept}`
  );
}

/** Columns padded to their widest cell: the first to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (string | number)[][]): string {
  const cells = [head, ...rows.map((row) => row.map(String))];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
        )
        .join('  '),
    )
    .join('\n');
}

function decimal(value: number | null): string {
  return value === null ? '-' : value.toFixed(4);
}
