import type { NodeStatus } from '#edge-node/api/status.ts';
import { table } from './trial-report.ts';

/** What the view shows: the trial's own knowledge, and the edge node's answer where it gave one. */
export interface TrialProgress {
  readonly elapsedSeconds: number;
  readonly totalSeconds: number;
  readonly apiUrl: string;
  readonly programs: readonly {
    readonly name: string;
    readonly pid: number | undefined;
    readonly restarts: number;
    /** Samples the device will have produced when its record is through; none for live sensors. */
    readonly expected?: number;
  }[];
  readonly status: NodeStatus | undefined;
}

export interface TrialView {
  show(progress: TrialProgress): void;
  /** A line of its own: something happened. */
  note(line: string): void;
  /** Leaves the terminal as it should be. */
  end(): void;
}

const PLAIN_PERIOD_SECONDS = 5;
const BAR_WIDTH = 24;

/** Redraws in place on a terminal; elsewhere prints a line every 5 s. */
export function createTrialView(out: NodeJS.WriteStream): TrialView {
  return out.isTTY ? createLiveView(out) : createPlainView(out);
}

function createPlainView(out: NodeJS.WriteStream): TrialView {
  let nextSeconds = 0;
  return {
    show(progress) {
      if (progress.elapsedSeconds < nextSeconds) return;
      nextSeconds =
        (Math.floor(progress.elapsedSeconds / PLAIN_PERIOD_SECONDS) + 1) * PLAIN_PERIOD_SECONDS;
      out.write(`${plainLine(progress)}\n`);
    },
    note: (line) => void out.write(`${line}\n`),
    end: () => undefined,
  };
}

function createLiveView(out: NodeJS.WriteStream): TrialView {
  let drawn = 0;
  const notes: string[] = [];
  const clear = () => {
    if (drawn > 0) out.write(`\x1b[${drawn}A\x1b[0J`);
    drawn = 0;
  };
  return {
    show(progress) {
      const width = Math.max(40, out.columns ?? 80);
      const lines = liveLines(progress).map((line) => line.slice(0, width - 1));
      clear();
      for (const note of notes.splice(0)) out.write(`${note}\n`);
      out.write(`${lines.join('\n')}\n`);
      drawn = lines.length;
    },
    note: (line) => void notes.push(line),
    end() {
      clear();
      for (const note of notes.splice(0)) out.write(`${note}\n`);
    },
  };
}

function plainLine({ elapsedSeconds, totalSeconds, status }: TrialProgress): string {
  const time = `${Math.floor(elapsedSeconds)}/${totalSeconds} s`;
  if (status === undefined) return `${time}  the edge node does not answer`;
  const online = status.devices.filter((device) => device.online).length;
  const samples = status.devices.reduce((sum, device) => sum + device.samples, 0);
  return (
    `${time}  devices ${online}/${status.devices.length}  samples ${samples}  ` +
    `${learningLine(status)}  ledger height ${status.ledger.height}`
  );
}

/** What a terminal shows, line by line. */
export function liveLines(progress: TrialProgress): string[] {
  const { elapsedSeconds, totalSeconds, apiUrl, programs, status } = progress;
  const devices = new Map(status?.devices.map((device) => [device.id, device]));
  const rows = programs.map(({ name, pid, restarts, expected }) => {
    const device = devices.get(name);
    return [
      name,
      pid ?? 'down',
      restarts,
      device?.samples ?? '',
      device?.anomalyScore?.toFixed(2) ?? '',
      expected === undefined ? '' : bar((device?.samples ?? 0) / expected),
    ];
  });
  const share = elapsedSeconds / totalSeconds;
  return [
    '',
    `DITEN field trial  ${bar(share)}  ${Math.floor(elapsedSeconds)} of ${totalSeconds} s`,
    `${apiUrl}/api/2/things${status === undefined ? '  (does not answer)' : ''}`,
    '',
    ...table(['program', 'pid', 'restarts', 'samples', 'anomaly', 'record'], rows).split('\n'),
    '',
    status === undefined ? '' : learningLine(status),
    status === undefined ? '' : `ledger height ${status.ledger.height}`,
  ];
}

function learningLine({ learning }: NodeStatus): string {
  if (learning === null) return 'no learning task';
  const last = learning.rounds.at(-1);
  const progress = `round ${learning.round} ${learning.phase}`;
  return last === undefined ? progress : `${progress}  loss ${last.loss.toFixed(4)}`;
}

function bar(share: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * BAR_WIDTH);
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`;
}
