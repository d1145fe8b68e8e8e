import { cpus } from 'node:os';
import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import { checkOutputFile, writeOutputFile } from '../model/model-file.ts';
import { type BenchModel, benchModels } from './bench-models.ts';
import { type Contender, startContender, type Way } from './contender.ts';
import { median } from './median.ts';

export interface BenchTrainingOptions {
  readonly python: string;
  readonly models?: string;
  readonly rounds: number;
  readonly json?: string;
}

interface WayResult {
  readonly microsecondsPerStep: number;
  readonly memoryBytes: number;
}

interface CaseResult {
  readonly model: string;
  readonly batch: number;
  readonly parameters?: number;
  readonly ways: Readonly<Partial<Record<Way, WayResult>>>;
  /** The median over the rounds of how many times faster `epoch` was than each other way. */
  readonly epochSpeedup: Readonly<Partial<Record<Way, number>>>;
  /** Why a way is missing. */
  readonly refused: Readonly<Partial<Record<Way, string>>>;
}

const WAYS: readonly Way[] = ['step', 'epoch', 'pytorch'];
const TURN_SECONDS = 0.25;
const STEPS_MAX = 2000;

/**
 * `diten bench training`: each way of training has its turn in every round, so that what else the
 * machine does meets all alike. Returns the exit code.
 */
export async function benchTraining(options: BenchTrainingOptions): Promise<number> {
  if (options.json !== undefined) checkOutputFile(options.json);
  const chosen = chooseModels(options.models);
  const results: CaseResult[] = [];
  console.log(`one thread each, ${options.rounds} rounds, median microseconds for a step`);
  console.log(row(['model', 'batch', ...WAYS, 'to step', 'to torch', 'MB', 'torch MB']));
  for (const model of chosen) {
    for (const batch of model.batchSizes) {
      const result = await benchCase(model, batch, options);
      results.push(result);
      printCase(result);
    }
  }
  if (options.json !== undefined) {
    const machine = { cpu: cpus()[0]?.model, node: process.version, arch: process.arch };
    const report = { machine, rounds: options.rounds, results };
    writeOutputFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  return exitCode.ok;
}

function chooseModels(wanted: string | undefined): readonly BenchModel[] {
  if (wanted === undefined) return benchModels;
  return wanted.split(',').map((name) => {
    const model = benchModels.find((candidate) => candidate.name === name);
    if (model !== undefined) return model;
    const known = benchModels.map((candidate) => candidate.name).join(', ');
    throw new ProgramError('unknown-model', `no model ${name}; give some of ${known}`, {
      exit: exitCode.usage,
    });
  });
}

async function benchCase(
  model: BenchModel,
  batch: number,
  { python, rounds }: BenchTrainingOptions,
): Promise<CaseResult> {
  await using stack = new AsyncDisposableStack();
  const contenders: Contender[] = [];
  const refused: Partial<Record<Way, string>> = {};
  for (const way of WAYS) {
    const started = await startContender({ ...model, batch, way }, python);
    if ('refused' in started) refused[way] = started.refused;
    else contenders.push(stack.use(started));
  }
  const sizes = new Set(contenders.map(({ parameters }) => parameters));
  if (sizes.size > 1) throw new Error(`${model.name} has ${[...sizes].join(' and ')} parameters`);
  const times = await runRounds(contenders, rounds);
  const epoch = times.get('epoch')?.seconds;
  const ways: Partial<Record<Way, WayResult>> = {};
  const epochSpeedup: Partial<Record<Way, number>> = {};
  for (const [way, { seconds, memoryBytes }] of times) {
    ways[way] = { microsecondsPerStep: 1e6 * median(seconds), memoryBytes };
    if (epoch === undefined || way === 'epoch') continue;
    epochSpeedup[way] = median(seconds.map((time, round) => time / epoch[round]!));
  }
  const [parameters] = sizes;
  return {
    model: model.name,
    batch,
    ...(parameters !== undefined && { parameters }),
    ways,
    epochSpeedup,
    refused,
  };
}

interface WayTimes {
  /** For one step, of each round. */
  readonly seconds: number[];
  memoryBytes: number;
}

async function runRounds(
  contenders: readonly Contender[],
  rounds: number,
): Promise<ReadonlyMap<Way, WayTimes>> {
  const times = new Map<Way, WayTimes>(
    contenders.map(({ way }) => [way, { seconds: [], memoryBytes: 0 }]),
  );
  let steps = STEPS_MAX;
  for (const contender of contenders) {
    // The first steps warm up, the next ones tell how many fill a turn.
    await contender.train(3);
    const { seconds } = await contender.train(5);
    steps = Math.min(steps, Math.ceil((5 * TURN_SECONDS) / seconds));
  }
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) {
      const { seconds, memoryBytes } = await contender.train(steps);
      const record = times.get(contender.way)!;
      record.seconds.push(seconds / steps);
      record.memoryBytes = memoryBytes;
    }
  }
  return times;
}

function printCase({ model, batch, ways, epochSpeedup, refused }: CaseResult): void {
  const times = WAYS.map((way) => ways[way]?.microsecondsPerStep.toFixed(0) ?? '-');
  const ratio = (way: Way): string => epochSpeedup[way]?.toFixed(2) ?? '-';
  const megabytes = (way: Way): string => {
    const bytes = ways[way]?.memoryBytes;
    return bytes === undefined ? '-' : (bytes / 1e6).toFixed(0);
  };
  const ratios = [ratio('step'), ratio('pytorch'), megabytes('epoch'), megabytes('pytorch')];
  console.log(row([model, `${batch}`, ...times, ...ratios]));
  for (const [way, why] of Object.entries(refused)) console.log(`  ${way} takes no part: ${why}`);
}

function row(cells: readonly string[]): string {
  return cells.map((cell, index) => (index === 0 ? cell.padEnd(16) : cell.padStart(9))).join('');
}
