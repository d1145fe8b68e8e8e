import type { NodeStatus } from '#edge-node/api/status.ts';
import { table } from './trial-report.ts';

/** What the view shows: the trial's own knowledge, and what the edge nodes that answer say. */
export interface TrialProgress {
  readonly elapsedSeconds: number;
  readonly totalSeconds: number;
  readonly programs: readonly {
    readonly name: string;
    readonly pid: number | undefined;
    readonly restarts: number;
    /** Samples the device will have produced when its record is through; none for live sensors. */
    readonly expected?: number;
  }[];
  /** By the edge node's name. */
  readonly statuses: ReadonlyMap<string, NodeStatus>;
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

function plainLine({ elapsedSeconds, totalSeconds, statuses }: TrialProgress): string {
  const time = `${Math.floor(elapsedSeconds)}/${totalSeconds} s`;
  if (statuses.size === 0) return `${time}  no edge node answers`;
  const devices = [...statuses.values()].flatMap((status) => status.devices);
  const online = devices.filter((device) => device.online).length;
  const samples = devices.reduce((sum, device) => sum + device.samples, 0);
  return (
    `${time}  devices ${online}/${devices.length}  samples ${samples}  ` +
    `${learningLine(statuses)}  ${ledgerLine(statuses)}`
  );
}

/** What a terminal shows, line by line. */
export function liveLines(progress: TrialProgress): string[] {
  const { elapsedSeconds, totalSeconds, programs, statuses } = progress;
  const known = [...statuses.values()].flatMap((status) => status.devices);
  const devices = new Map(known.map((device) => [device.id, device]));
  const rows = programs.map(({ name, pid, restarts, expected }) => {
    const device = devices.get(name);
    return [
      name,
      pid ?? 'down',
      restarts,
      statuses.get(name)?.ledger.height ?? '',
      device?.samples ?? '',
      device?.anomalyScore?.toFixed(2) ?? '',
      expected === undefined ? '' : bar((device?.samples ?? 0) / expected),
    ];
  });
  const share = elapsedSeconds / totalSeconds;
  const head = ['program', 'pid', 'restarts', 'height', 'samples', 'anomaly', 'record'];
  return [
    '',
    `DITEN field trial  ${bar(share)}  ${Math.floor(elapsedSeconds)} of ${totalSeconds} s`,
    '',
    ...table(head, rows).split('\n'),
    '',
    statuses.size === 0 ? 'no edge node answers' : learningLine(statuses),
    statuses.size === 0 ? '' : ledgerLine(statuses),
  ];
}

/** From the node that coordinates the learning. */
function learningLine(statuses: TrialProgress['statuses']): string {
  const learning = [...statuses.values()].find((status) => status.learning !== null)?.learning;
  if (learning === undefined || learning === null) return 'no learning task';
  const last = learning.rounds.at(-1);
  const progress = `round ${learning.round} ${learning.phase}`;
  return last === undefined ? progress : `${progress}  loss ${last.loss.toFixed(4)}`;
}

function ledgerLine(statuses: TrialProgress['statuses']): string {
  const heights = [...statuses.values()].map(({ ledger }) => ledger.height);
  const [lowest, highest] = [Math.min(...heights), Math.max(...heights)];
  const at = lowest === highest ? `height ${highest}` : `heights ${lowest} to ${highest}`;
  return `ledger ${at} on ${heights.length} ${heights.length === 1 ? 'node' : 'nodes'}`;
}

function bar(share: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * BAR_WIDTH);
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`;
}
