import type { ProcessMemory } from './process-memory.ts';
import type { FeedbackFigures, Percentiles, RoundFigures } from './twin-measurements.ts';

/** What the edge node and its broker are to reach on two cores. */
export const limits = {
  updatesPerSecond: { min: 5000 },
  commitLatencyMs: { p99Max: 50 },
  readsPerSecond: { min: 5000 },
  readLatencyMs: { p99Max: 20 },
  memoryMB10000Twins: { max: 300 },
  feedbackLatencyMs: { p99Max: 20 },
  overload: { missing: 0 },
} as const;

export interface TwinsFigures extends RoundFigures, FeedbackFigures {
  readonly overload: {
    readonly offeredPerSecond: number;
    readonly sentPerSecond: number;
    readonly committedPerSecond: number;
    readonly drainSeconds: number;
    readonly memoryMB: { readonly before: number | null; readonly peak: number };
    readonly missing: number;
  };
  readonly memoryMB10000Twins: number | null;
  readonly memoryMB: { readonly filled: ProcessMemory | undefined };
  readonly settings: { readonly twins: number };
}

/** Which limits the figures keep; null where there is nothing to judge by. */
export function verdicts(figures: TwinsFigures): Record<keyof typeof limits, boolean | null> {
  const { memoryMB10000Twins: memory } = figures;
  return {
    updatesPerSecond: figures.updatesPerSecond >= limits.updatesPerSecond.min,
    commitLatencyMs: figures.commitLatencyMs.p99 <= limits.commitLatencyMs.p99Max,
    readsPerSecond: figures.readsPerSecond >= limits.readsPerSecond.min,
    readLatencyMs: figures.readLatencyMs.p99 <= limits.readLatencyMs.p99Max,
    memoryMB10000Twins: memory === null ? null : memory <= limits.memoryMB10000Twins.max,
    feedbackLatencyMs: figures.feedbackLatencyMs.p99 <= limits.feedbackLatencyMs.p99Max,
    overload: figures.overload.missing === limits.overload.missing,
  };
}

/** Prints each figure beside what is wanted of it. */
export function printReport(figures: TwinsFigures): void {
  const { ceiling, overload, memoryMB, settings } = figures;
  const say = (name: string, text: string) => console.log(`${name.padEnd(10)}${text}`);
  say(
    'updates',
    `${shown(figures.updatesPerSecond)} a second, durable (>= 5,000); at 1,000 a second ` +
      `${latency(figures.commitLatencyMs)} from sensor to committed (p99 <= 50)`,
  );
  if ('refused' in ceiling) say('ceiling', `none: ${ceiling.refused}`);
  else {
    say(
      'ceiling',
      `${shown(ceiling.updatesPerSecond)} a second, ${latency(ceiling.commitLatencyMs)}: ` +
        `${ceiling.name}; ours is ${ceiling.ratios.updatesPerSecond.toFixed(2)} times that, ` +
        `with ${ceiling.ratios.commitLatencyP50.toFixed(1)} times the latency`,
    );
  }
  const http = (perSecond: number, latencyMs: Percentiles) =>
    `${shown(perSecond)} a second, ${latency(latencyMs)}`;
  say('reads', `${http(figures.readsPerSecond, figures.readLatencyMs)} (>= 5,000, p99 <= 20)`);
  say('', `${http(figures.propertyReadsPerSecond, figures.propertyReadLatencyMs)}, one property`);
  say('edits', `${http(figures.editsPerSecond, figures.editLatencyMs)}, durable`);
  say('searches', http(figures.searchesPerSecond, figures.searchLatencyMs));
  say('feedback', `${latency(figures.feedbackLatencyMs)} from sensor to actuator (p99 <= 20)`);
  say(
    'memory',
    `${shown(memoryMB.filled?.pssMB ?? Number.NaN)} MB with ${settings.twins} twins, broker ` +
      'included (<= 300 with 10,000)',
  );
  say(
    'overload',
    `${shown(overload.offeredPerSecond)} a second offered, ${shown(overload.sentPerSecond)} ` +
      `taken, ${shown(overload.committedPerSecond)} committed meanwhile, the rest ` +
      `${shown(overload.drainSeconds)} s later; ${shown(overload.memoryMB.peak)} MB at most, ` +
      `${overload.missing} missing`,
  );
}

function latency({ p50, p99 }: Percentiles): string {
  return `p50 ${shown(p50)} ms, p99 ${shown(p99)} ms`;
}

function shown(value: number): string {
  return Number.isFinite(value) ? value.toFixed(value < 100 ? 1 : 0) : '-';
}
