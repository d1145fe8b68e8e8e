import type { BenchTwinsOptions } from '../bench-twins.ts';
import { median, quantile } from '../median.ts';
import type { Ceiling } from './ceiling.ts';
import type { EdgeProcess } from './edge-process.ts';
import type { HttpTurn } from './http-load.ts';
import type { HttpLoadKind } from './load-command.ts';
import type { LoadProcess } from './load-process.ts';
import { processMemory } from './process-memory.ts';
import type { OverloadTurn, StreamTurn } from './stream-load.ts';

/** One reading of everything a device measures. */
const PER_MESSAGE = 5;
const PACED_PER_SECOND = 1000;
const OVERLOAD = 10;
const READERS = 16;
/** Edits that arrive together share a commit. */
const EDITORS = 32;

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** Medians over the turns. */
export interface StreamFigures {
  readonly updatesPerSecond: number;
  readonly commitLatencyMs: Percentiles;
}

interface HttpFigures {
  readonly perSecond: number;
  readonly latencyMs: Percentiles;
}

export interface RoundFigures extends StreamFigures {
  readonly readsPerSecond: number;
  readonly readLatencyMs: Percentiles;
  readonly propertyReadsPerSecond: number;
  readonly propertyReadLatencyMs: Percentiles;
  readonly editsPerSecond: number;
  readonly editLatencyMs: Percentiles;
  readonly searchesPerSecond: number;
  readonly searchLatencyMs: Percentiles;
  readonly ceiling:
    | { readonly refused: string }
    | (StreamFigures & { readonly name: string; readonly ratios: Ratios });
  readonly turns: Readonly<Record<string, readonly unknown[]>>;
}

/** Ours by theirs. */
interface Ratios {
  readonly updatesPerSecond: number;
  readonly commitLatencyP50: number;
  readonly commitLatencyP99: number;
}

interface RoundParts {
  readonly edge: EdgeProcess;
  readonly load: LoadProcess;
  readonly ceiling:
    | { readonly refused: string }
    | { readonly ceiling: Ceiling; readonly load: LoadProcess };
  readonly options: BenchTwinsOptions;
}

/** Everything that is measured in turns, with the ceiling right after what it is the ceiling of. */
export async function measureRounds(parts: RoundParts): Promise<RoundFigures> {
  const { edge, load, ceiling, options } = parts;
  const { seconds, twins: things } = options;
  const other = 'refused' in ceiling ? undefined : ceiling;
  const own: StreamFigures[] = [];
  const theirs: StreamFigures[] = [];
  const http: Record<HttpLoadKind, HttpFigures[]> = {
    thing: [],
    property: [],
    edit: [],
    search: [],
  };
  for (let round = 0; round < options.rounds; round++) {
    own.push(await measureStream(load, seconds));
    if (other !== undefined) theirs.push(await measureStream(other.load, seconds));
    for (const what of ['thing', 'property', 'edit', 'search'] as const) {
      const connections = what === 'edit' ? EDITORS : READERS;
      const command = { kind: 'http', what, port: edge.httpPort, seconds, connections } as const;
      http[what].push(httpFigures(await load.run<HttpTurn>({ ...command, things })));
    }
    process.stdout.write(`turn ${round + 1} of ${options.rounds}\n`);
  }
  const [reads, properties] = [httpMedian(http.thing), httpMedian(http.property)];
  const [edits, searches] = [httpMedian(http.edit), httpMedian(http.search)];
  return {
    ...streamMedian(own),
    ...{ readsPerSecond: reads.perSecond, readLatencyMs: reads.latencyMs },
    ...{
      propertyReadsPerSecond: properties.perSecond,
      propertyReadLatencyMs: properties.latencyMs,
    },
    ...{ editsPerSecond: edits.perSecond, editLatencyMs: edits.latencyMs },
    ...{ searchesPerSecond: searches.perSecond, searchLatencyMs: searches.latencyMs },
    ceiling:
      'refused' in ceiling
        ? ceiling
        : {
            name: ceiling.ceiling.description,
            ...streamMedian(theirs),
            ratios: ratiosOf(own, theirs),
          },
    turns: { own, ceiling: theirs, ...http },
  };
}

async function measureStream(load: LoadProcess, seconds: number): Promise<StreamFigures> {
  const most = await load.run<StreamTurn>({ kind: 'saturate', seconds, perMessage: PER_MESSAGE });
  const pace = { kind: 'pace', seconds, perSecond: PACED_PER_SECOND } as const;
  const { latenciesMs } = await load.run<{ latenciesMs: number[] }>(pace);
  return {
    updatesPerSecond: most.committed / most.seconds,
    commitLatencyMs: percentiles(latenciesMs),
  };
}

export interface FeedbackFigures {
  /** From a value's sending until what a rule makes desired of it has come back. */
  readonly feedbackLatencyMs: Percentiles;
}

/** How long a rule takes, over MQTT both ways, in ms. */
export async function measureFeedback(
  load: LoadProcess,
  { port, seconds }: { port: number; seconds: number },
): Promise<FeedbackFigures> {
  const command = { kind: 'feedback', port, seconds } as const;
  const { latenciesMs } = await load.run<{ latenciesMs: number[] }>(command);
  return { feedbackLatencyMs: percentiles(latenciesMs) };
}

/** Devices that offer ten times what can be committed, and wait for nothing but their link. */
export async function measureOverload(
  load: LoadProcess,
  { edge, seconds, most }: { edge: EdgeProcess; seconds: number; most: number },
) {
  const before = processMemory(edge.pid);
  let peakPssMB = before?.pssMB ?? 0;
  const watch = setInterval(() => {
    peakPssMB = Math.max(peakPssMB, processMemory(edge.pid)?.pssMB ?? 0);
  }, 500);
  const perSecond = OVERLOAD * Math.ceil(most);
  const command = { kind: 'overload', seconds, perSecond, perMessage: PER_MESSAGE } as const;
  const turn = await load.run<OverloadTurn>(command);
  clearInterval(watch);
  return {
    ...{ offeredPerSecond: perSecond, seconds: turn.seconds },
    sentPerSecond: turn.sent / turn.seconds,
    committedPerSecond: turn.committed / turn.seconds,
    drainSeconds: turn.drainSeconds,
    memoryMB: { before: before?.pssMB ?? null, peak: peakPssMB },
    sentByDevice: turn.sentByDevice,
  };
}

function httpFigures({ latenciesMs, seconds }: HttpTurn): HttpFigures {
  return { perSecond: latenciesMs.length / seconds, latencyMs: percentiles(latenciesMs) };
}

function httpMedian(turns: readonly HttpFigures[]): HttpFigures {
  return {
    perSecond: median(turns.map(({ perSecond }) => perSecond)),
    latencyMs: medianOf(turns.map(({ latencyMs }) => latencyMs)),
  };
}

function streamMedian(turns: readonly StreamFigures[]): StreamFigures {
  return {
    updatesPerSecond: median(turns.map(({ updatesPerSecond }) => updatesPerSecond)),
    commitLatencyMs: medianOf(turns.map(({ commitLatencyMs }) => commitLatencyMs)),
  };
}

function ratiosOf(own: readonly StreamFigures[], theirs: readonly StreamFigures[]): Ratios {
  const ratio = (pick: (figures: StreamFigures) => number) =>
    median(own.map((figures, turn) => pick(figures) / pick(theirs[turn]!)));
  return {
    updatesPerSecond: ratio(({ updatesPerSecond }) => updatesPerSecond),
    commitLatencyP50: ratio(({ commitLatencyMs }) => commitLatencyMs.p50),
    commitLatencyP99: ratio(({ commitLatencyMs }) => commitLatencyMs.p99),
  };
}

function medianOf(turns: readonly Percentiles[]): Percentiles {
  return { p50: median(turns.map(({ p50 }) => p50)), p99: median(turns.map(({ p99 }) => p99)) };
}

function percentiles(values: readonly number[]): Percentiles {
  return { p50: quantile(values, 0.5), p99: quantile(values, 0.99) };
}
