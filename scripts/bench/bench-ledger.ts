import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitCode } from '#runtime/process/program-error.ts';
import { freePorts } from '../free-ports.ts';
import { writeOutputFile } from '../model/model-file.ts';
import { benchProof } from './bench-proof.ts';
import { startCometValidators } from './cometbft-validators.ts';
import { startDitenValidators } from './diten-validators.ts';
import { type LedgerContender, NODES } from './ledger-contender.ts';
import {
  IN_FLIGHT,
  type LedgerResult,
  measureCatchUp,
  measureIdle,
  measureRevocation,
  measureRounds,
} from './ledger-measurements.ts';
import { TRANSACTION_SIZE_BYTES } from './ledger-transactions.ts';
import { median } from './median.ts';

export interface BenchLedgerOptions {
  /** How long each measurement takes. */
  readonly seconds: number;
  /** Turns each contender gets at each load. */
  readonly rounds: number;
  /** CometBFT's program. */
  readonly cometbft: string;
  readonly json?: string;
}

const PROOF_RECORDS = 1_000_000;
/** As long as so many measurements: there are a few revocations a second only. */
const REVOCATION_TURNS = 3;

/**
 * `diten bench ledger`: four validator processes on this machine and, where there is one, as many
 * of CometBFT's kvstore, in turns. Returns the exit code.
 */
export async function benchLedger(options: BenchLedgerOptions): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'diten-bench-'));
  try {
    const report = await measure(folder, options);
    if (options.json !== undefined) {
      writeOutputFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return exitCode.ok;
}

async function measure(folder: string, options: BenchLedgerOptions) {
  const { seconds, rounds, cometbft } = options;
  const [cpu] = cpus();
  const machine = {
    ...{ cpu: cpu?.model, cores: cpus().length, node: process.version, arch: process.arch },
    loadAverage: loadavg()[0],
  };
  console.log(
    `${machine.cores} cores, load ${machine.loadAverage!.toFixed(1)}, ${NODES} processes`,
  );
  await using stack = new AsyncDisposableStack();
  const ports = await freePorts(3 * NODES);
  const place = (name: string) => {
    mkdirSync(join(folder, name));
    return join(folder, name);
  };
  const diten = stack.use(await startDitenValidators(place('diten'), ports.slice(0, NODES)));
  const other = await startCometValidators(cometbft, place('cometbft'), ports.slice(NODES));
  const contenders: LedgerContender[] = [diten];
  if ('refused' in other) console.log(`cometbft takes no part: ${other.refused}`);
  else contenders.push(stack.use(other));
  for (const { name, description } of contenders) console.log(`${name}: ${description}`);

  const results = await measureAll(contenders, options);
  const proof = benchProof(place('proof'), PROOF_RECORDS);
  console.log(
    `proof     out of ${proof.records} records: ${proof.sizeBytes} bytes, ` +
      `${proof.verifyMs.toFixed(2)} ms, ${proof.withSignaturesMs.toFixed(2)} ms with signatures ` +
      `(${proof.portableMs.toFixed(1)} ms in portable code)`,
  );
  const [own, alternative] = results;
  return {
    machine,
    validators: NODES,
    transactionSizeBytes: TRANSACTION_SIZE_BYTES,
    ...{ seconds, turns: rounds },
    description: diten.description,
    ...own,
    proof,
    alternative:
      'refused' in other
        ? { name: 'cometbft', refused: other.refused }
        : { name: other.name, description: other.description, ...alternative },
    ratios: alternative && ratiosOf(own!, alternative),
  };
}

async function measureAll(
  contenders: readonly LedgerContender[],
  { seconds, rounds: count }: BenchLedgerOptions,
): Promise<LedgerResult[]> {
  const idle = await measureIdle(contenders, seconds);
  for (const [index, { name }] of contenders.entries()) {
    const { cpuPercent, rssMb } = idle[index]!;
    console.log(
      `idle      ${name}: ${shown(cpuPercent)} % of a core, ${shown(rssMb)} MB a process`,
    );
  }
  const rounds = await measureRounds(contenders, { seconds, rounds: count });
  const results: LedgerResult[] = [];
  for (const [index, contender] of contenders.entries()) {
    const revocation = await measureRevocation(contender, REVOCATION_TURNS * seconds);
    const catchUp = await measureCatchUp(contender, seconds);
    const result = { ...rounds[index]!, idle: idle[index]!, catchUp, revocation };
    results.push(result);
    printResult(contender, result);
  }
  return results;
}

function printResult({ name }: LedgerContender, result: LedgerResult): void {
  const { latency, throughput, catchUp } = result;
  console.log(
    `latency   ${name}: p50 ${shown(latency.p50Ms)} ms, p99 ${shown(latency.p99Ms)} ms, ` +
      'one at a time',
  );
  for (const level of result.levels) {
    console.log(
      `load      ${name}: ${shown(level.perSecond)} a second, p50 ${shown(level.p50Ms)} ms, ` +
        `p99 ${shown(level.p99Ms)} ms, ${level.inFlight} under way at each node`,
    );
  }
  console.log(
    `most      ${name}: ${shown(throughput.perSecond)} a second with p99 ` +
      `${shown(throughput.p99Ms)} ms (of ${IN_FLIGHT.join(', ')} under way at each node)`,
  );
  if (result.revocation !== undefined) {
    const { count, p50Ms, p99Ms, worstMs } = result.revocation;
    console.log(
      `revoking  ${name}: p50 ${shown(p50Ms)} ms, p99 ${shown(p99Ms)} ms, worst ` +
        `${shown(worstMs)} ms of ${count} under load, until the device is cut off`,
    );
  }
  console.log(
    `catch-up  ${name}: ${catchUp.seconds.toFixed(1)} s after ${catchUp.awaySeconds} s away ` +
      `(${catchUp.heights} heights, the process's start in it)`,
  );
}

/** How many times what ours is of theirs: the median of the rounds' ratios. */
function ratiosOf(own: LedgerResult, other: LedgerResult) {
  const ratio = (pick: (result: LedgerResult) => readonly number[]) => {
    const others = pick(other);
    return median(pick(own).map((value, round) => value / others[round]!));
  };
  const ratios = {
    latencyP50: ratio(({ rounds }) => rounds.map(({ p50Ms }) => p50Ms)),
    perSecond: ratio(({ rounds }) => rounds.map(({ perSecond }) => perSecond)),
  };
  console.log(
    `ratios    diten to cometbft, median of the rounds: latency ${ratios.latencyP50.toFixed(2)}, ` +
      `transactions a second ${ratios.perSecond.toFixed(2)}`,
  );
  return ratios;
}

function shown(value: number | null): string {
  return value === null || !Number.isFinite(value) ? '-' : value.toFixed(value < 100 ? 1 : 0);
}
