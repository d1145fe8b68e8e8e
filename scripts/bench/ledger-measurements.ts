import { setTimeout as sleep } from 'node:timers/promises';
import { type LedgerContender, type LedgerTurn, NODES } from './ledger-contender.ts';
import { median, quantile } from './median.ts';
import { processUsage } from './process-usage.ts';

/** Transactions under way at each node, in turn; the best level with p99 below a second counts. */
export const IN_FLIGHT = [16, 64, 128, 256] as const;

const SETTLE_MS = 3000;
const P99_MS_MAX = 1000;
const CATCH_UP_IN_FLIGHT = 4;
const REVOCATION_IN_FLIGHT = 64;
const CATCH_UP_SECONDS_MAX = 120;
const EVERY = [...Array(NODES).keys()];

export interface IdleResult {
  /** Of one core, the mean of the processes; null where it cannot be measured. */
  readonly cpuPercent: number | null;
  readonly rssMb: number | null;
}

export interface LevelResult {
  readonly inFlight: number;
  readonly perSecond: number;
  /** Infinite, in JSON null, where nothing was committed in time. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface RoundsResult {
  /** One transaction at a time, at each node in turn. */
  readonly latency: { readonly p50Ms: number; readonly p99Ms: number };
  /** The best level. */
  readonly throughput: LevelResult;
  /** Medians over the rounds. */
  readonly levels: readonly LevelResult[];
  /** Of each round: latency one at a time, and the most of any level. */
  readonly rounds: readonly { readonly p50Ms: number; readonly perSecond: number }[];
}

export interface CatchUpResult {
  readonly awaySeconds: number;
  /** From the start of the process until it has what the others have. */
  readonly seconds: number;
  /** How far it was behind. */
  readonly heights: number;
}

/** How long it takes from a revocation's arrival until the device is cut off, under load. */
export interface RevocationResult {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly worstMs: number;
}

export interface LedgerResult extends RoundsResult {
  readonly idle: IdleResult;
  readonly catchUp: CatchUpResult;
  /** None where the contender has no devices. */
  readonly revocation: RevocationResult | undefined;
}

/** What the processes use with nothing to do, all contenders at the same time. */
export async function measureIdle(
  contenders: readonly LedgerContender[],
  seconds: number,
): Promise<IdleResult[]> {
  await sleep(SETTLE_MS);
  const usages = () => contenders.map(({ pid }) => EVERY.map((node) => processUsage(pid(node))));
  const before = usages();
  await sleep(seconds * 1000);
  const after = usages();
  return contenders.map((_, index) => {
    const pairs = EVERY.map((node) => [before[index]![node], after[index]![node]] as const);
    const percents = pairs.map(([from, to]) => {
      return from && to ? (100 * (to.cpuSeconds - from.cpuSeconds)) / seconds : Number.NaN;
    });
    const megabytes = pairs.map(([, to]) => (to ? to.rssBytes / 1e6 : Number.NaN));
    return { cpuPercent: meanOf(percents), rssMb: meanOf(megabytes) };
  });
}

/** All have their turn in every round, so that what else the machine does meets all alike. */
export async function measureRounds(
  contenders: readonly LedgerContender[],
  { seconds, rounds }: { readonly seconds: number; readonly rounds: number },
): Promise<RoundsResult[]> {
  const light = contenders.map((): LedgerTurn[] => []);
  const levels = contenders.map(() => IN_FLIGHT.map((): LevelResult[] => []));
  for (const contender of contenders) await warmUp(contender);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      light[index]!.push(await oneAtATime(contender, seconds));
    }
    for (const [level, inFlight] of IN_FLIGHT.entries()) {
      for (const [index, contender] of contenders.entries()) {
        await contender.prepare();
        const turn = await contender.run({ nodes: EVERY, inFlight, seconds });
        levels[index]![level]!.push(levelOf(inFlight, turn));
      }
    }
  }
  return contenders.map((_, index) => summary(light[index]!, levels[index]!));
}

/** Revokes one device after the other while all nodes are at work. */
export async function measureRevocation(
  contender: LedgerContender,
  seconds: number,
): Promise<RevocationResult | undefined> {
  if (contender.revoke === undefined) return undefined;
  await contender.prepare();
  const load = { nodes: EVERY, inFlight: REVOCATION_IN_FLIGHT, seconds: seconds + 1 };
  const working = contender.run(load);
  const latenciesMs = await contender.revoke(0, seconds);
  await working;
  const [p50Ms, p99Ms] = [0.5, 0.99].map((share) => quantile(latenciesMs, share));
  const worstMs = Math.max(...latenciesMs);
  return { count: latenciesMs.length, p50Ms: p50Ms!, p99Ms: p99Ms!, worstMs };
}

/**
 * Kills one node for that long while the others are at work, and starts it again; the others stay
 * at work until it has caught up.
 */
export async function measureCatchUp(
  contender: LedgerContender,
  awaySeconds: number,
): Promise<CatchUpResult> {
  const last = NODES - 1;
  const others = EVERY.slice(0, last);
  await contender.prepare();
  const heightBefore = await contender.height(last);
  await contender.kill(last);
  const load = { nodes: others, inFlight: CATCH_UP_IN_FLIGHT };
  await contender.run({ ...load, seconds: awaySeconds });
  const heights = (await contender.height(0)) - heightBefore;
  let isBehind = true;
  const working = keepWorking();
  const startMs = performance.now();
  contender.restart(last);
  try {
    while ((performance.now() - startMs) / 1000 < CATCH_UP_SECONDS_MAX) {
      // Asked in this order the others are, if anything, ahead of what is compared.
      const height = await contender.height(last);
      if (height >= (await contender.height(0)) - 1) {
        return { awaySeconds, seconds: (performance.now() - startMs) / 1000, heights };
      }
      await sleep(20);
    }
  } finally {
    isBehind = false;
    await working;
  }
  throw new Error(`${contender.name}: a node is behind after ${CATCH_UP_SECONDS_MAX} s`);

  async function keepWorking(): Promise<void> {
    while (isBehind) await contender.run({ ...load, seconds: 1 });
  }
}

async function warmUp(contender: LedgerContender): Promise<void> {
  await contender.prepare();
  await contender.run({ nodes: EVERY, inFlight: 1, seconds: 1 });
}

async function oneAtATime(contender: LedgerContender, seconds: number): Promise<LedgerTurn> {
  const latenciesMs: number[] = [];
  await contender.prepare();
  for (const node of EVERY) {
    const turn = await contender.run({ nodes: [node], inFlight: 1, seconds: seconds / NODES });
    latenciesMs.push(...turn.latenciesMs);
  }
  if (latenciesMs.length > 0) return { latenciesMs, seconds };
  throw new Error(
    `${contender.name} commits nothing within ${seconds / NODES} s; give more seconds`,
  );
}

function levelOf(inFlight: number, { latenciesMs, seconds }: LedgerTurn): LevelResult {
  const perSecond = latenciesMs.length / seconds;
  const isNone = latenciesMs.length === 0;
  const [p50Ms, p99Ms] = [0.5, 0.99].map((share) => {
    return isNone ? Number.POSITIVE_INFINITY : quantile(latenciesMs, share);
  });
  return { inFlight, perSecond, p50Ms: p50Ms!, p99Ms: p99Ms! };
}

function summary(
  light: readonly LedgerTurn[],
  levels: readonly (readonly LevelResult[])[],
): RoundsResult {
  const medianOf = (rounds: readonly LevelResult[], pick: (level: LevelResult) => number) =>
    median(rounds.map(pick));
  const medians = levels.map((rounds) => ({
    inFlight: rounds[0]!.inFlight,
    perSecond: medianOf(rounds, ({ perSecond }) => perSecond),
    p50Ms: medianOf(rounds, ({ p50Ms }) => p50Ms),
    p99Ms: medianOf(rounds, ({ p99Ms }) => p99Ms),
  }));
  const quick = medians.filter(({ p99Ms }) => p99Ms < P99_MS_MAX);
  const [throughput] = (quick.length > 0 ? quick : medians).toSorted(
    (a, b) => b.perSecond - a.perSecond,
  );
  const p50s = light.map(({ latenciesMs }) => quantile(latenciesMs, 0.5));
  const p99s = light.map(({ latenciesMs }) => quantile(latenciesMs, 0.99));
  return {
    latency: { p50Ms: median(p50s), p99Ms: median(p99s) },
    throughput: throughput!,
    levels: medians,
    rounds: p50s.map((p50Ms, round) => ({
      p50Ms,
      perSecond: Math.max(...levels.map((rounds) => rounds[round]!.perSecond)),
    })),
  };
}

function meanOf(values: readonly number[]): number | null {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Number.isNaN(mean) ? null : mean;
}
