import type { Sample } from './sample.ts';

/**
 * Samples that one process took between an outbox's opening and its closing, or death. Two copies
 * of one outbox number on from the same sequence, but never in the same run.
 */
export interface StreamRun {
  /** 8 random hex digits. */
  readonly id: string;
  /** The sequence of its first sample. */
  readonly first: number;
}

/** The runs of a stream that are remembered and told to the device. */
export const RUNS_KEPT = 16;

/** By which rule a device gives a sample up, undelivered. */
export const dropRules = ['oldest', 'thin', 'disk-full'] as const;
export type DropRule = (typeof dropRules)[number];

/** How many samples of a property were given up by a rule, in one epoch. */
export interface DropCount {
  readonly property: string;
  readonly rule: DropRule;
  readonly count: number;
}

/** What the edge node knows of one epoch of one device's outbox. */
export interface SampleStream {
  /** Every sequence up to this one is stored, or known to be absent. */
  readonly committed: number;
  /** Sequences the device no longer had when they were wanted: dropped by rule, or lost here. */
  readonly absent: number;
  /** The newest of the runs its samples came from, oldest first; none from older devices. */
  readonly runs: readonly StreamRun[];
}

export const emptyStream: SampleStream = { committed: 0, absent: 0, runs: [] };

/** Part of an outbox, oldest first: what it still has of the sequences behind `after`. */
export interface OfferedSamples {
  /** The oldest sequence the device can still deliver. */
  readonly available: number;
  /** What lies between it and the first sample is not there; the first less 1 where left out. */
  readonly after?: number | undefined;
  /** The run all of them belong to. */
  readonly run?: StreamRun | undefined;
  /** In order. Sequences left out between two of them were dropped. */
  readonly samples: readonly Sample[];
}

export interface AdmittedSamples {
  readonly stream: SampleStream;
  readonly fresh: readonly Sample[];
  /** They were taken by another copy of the outbox than those the stream has: none is admitted. */
  readonly foreign: boolean;
}

/**
 * Takes from a message what continues the stream: nothing twice, nothing that would leave a gap,
 * which the device closes by sending again from the acknowledged sequence, and nothing of a copy of
 * the outbox that gave the same sequences to other samples.
 */
export function admitSamples(stream: SampleStream, offered: OfferedSamples): AdmittedSamples {
  const { available, run, samples } = offered;
  if (run !== undefined && isForeign(stream, run)) return { stream, fresh: [], foreign: true };
  const first = samples[0]?.sequence ?? Number.POSITIVE_INFINITY;
  const covered = Math.max(available - 1, stream.committed);
  const after = offered.after ?? first - 1;
  const fresh = samples.filter(({ sequence }) => sequence > stream.committed);
  const newest = fresh.at(-1);
  if (after > covered || newest === undefined) return { stream, fresh: [], foreign: false };
  const committed = newest.sequence;
  const absent = stream.absent + committed - stream.committed - fresh.length;
  return {
    stream: { committed, absent, runs: withRun(stream.runs, run) },
    fresh,
    foreign: false,
  };
}

/** Whether its first sample is a sequence that the stream has from another run. */
function isForeign({ committed, runs }: SampleStream, run: StreamRun): boolean {
  return runs.at(-1)?.id !== run.id && run.first <= committed;
}

function withRun(runs: readonly StreamRun[], run: StreamRun | undefined): readonly StreamRun[] {
  if (run === undefined || runs.at(-1)?.id === run.id) return runs;
  return [...runs, run].slice(-RUNS_KEPT);
}

/**
 * Up to which sequence an outbox and what an edge node has of it are the same, where the two went
 * apart; `undefined` where they did not. They do when the outbox is brought back from an older copy
 * and numbers on: `ours` are its runs since `acknowledged`, oldest first, `theirs` the stream's.
 */
export function sharedThrough(
  ours: { readonly acknowledged: number; readonly produced: number; readonly runs: StreamRun[] },
  theirs: Pick<SampleStream, 'committed' | 'runs'>,
): number | undefined {
  const { acknowledged, produced, runs } = ours;
  const { committed } = theirs;
  if (committed <= acknowledged) return undefined;
  const owner = runs.findLast(({ first }) => first <= committed);
  const newest = theirs.runs.at(-1);
  const same = newest === undefined || owner?.id === newest.id;
  if (same && committed <= produced) return undefined;

  const common = runs.findLastIndex(({ id }) => theirs.runs.some((run) => run.id === id));
  const last = runs[common];
  if (last === undefined) return newest === undefined ? produced : acknowledged;
  const theirNext = theirs.runs[theirs.runs.findIndex(({ id }) => id === last.id) + 1];
  const ends = [runs[common + 1], theirNext].flatMap((run) => run?.first ?? []);
  const through = Math.min(committed, produced, ...ends.map((first) => first - 1));
  return Math.max(acknowledged, through);
}
