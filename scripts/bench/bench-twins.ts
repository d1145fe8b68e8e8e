import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitCode } from '#runtime/process/program-error.ts';
import { freePorts } from '../free-ports.ts';
import { writeOutputFile } from '../model/model-file.ts';
import { countStored } from './twins/account-for-load.ts';
import { type Ceiling, startCeiling } from './twins/ceiling.ts';
import { type EdgeProcess, startEdge } from './twins/edge-process.ts';
import { type LoadProcess, startLoad } from './twins/load-process.ts';
import { processMemory } from './twins/process-memory.ts';
import { measureFeedback, measureOverload, measureRounds } from './twins/twin-measurements.ts';
import { limits, printReport, verdicts } from './twins/twins-report.ts';

export interface BenchTwinsOptions {
  /** How long each measurement takes. */
  readonly seconds: number;
  /** Turns each measurement gets. */
  readonly rounds: number;
  /** Twins that there are. */
  readonly twins: number;
  /** Devices that report at the same time. */
  readonly devices: number;
  /** Mosquitto's program. */
  readonly mosquitto: string;
  /** Where the files are made; the folder for temporary ones where left out. */
  readonly data?: string;
  readonly json?: string;
}

/** statfs(2): what is in memory is not durable, and a synced write costs nothing there. */
const TMPFS_MAGIC = 0x01021994;

/**
 * `diten bench twins`: an edge node in a process of its own, with load generators in theirs, and
 * the same stream against Mosquitto and a bare subscriber in turns. Returns the exit code.
 */
export async function benchTwins(options: BenchTwinsOptions): Promise<number> {
  const folder = mkdtempSync(join(options.data ?? tmpdir(), 'diten-bench-'));
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

async function measure(folder: string, options: BenchTwinsOptions) {
  const { twins, devices, seconds, rounds } = options;
  const machine = describeMachine(folder);
  await using stack = new AsyncDisposableStack();
  const [mqtt, http, other] = await freePorts(3);
  mkdirSync(join(folder, 'mosquitto'));
  const place = { folder: join(folder, 'mosquitto'), port: other! };
  const ceiling = await startCeiling(options.mosquitto, place);
  if ('refused' in ceiling) console.log(`no ceiling: ${ceiling.refused}`);
  else console.log(`ceiling: ${stack.use(ceiling).description}`);
  const sizes = { ports: [mqtt!, http!], twinsMax: twins + devices + 1 } as const;
  const edge = stack.use(await startEdge(folder, sizes));
  const load = stack.use(startLoad());

  const empty = processMemory(edge.pid);
  await load.run({ kind: 'fill', port: edge.mqttPort, count: twins });
  const filled = await settledMemory(edge.pid);
  const found = await measureUnderLoad({ edge, load, ceiling, options });
  await load[Symbol.asyncDispose]();
  await edge.stop();
  const stored = countStored(edge.dataFolder, found.overload.sentByDevice);
  const { sentByDevice: _, ...overload } = found.overload;
  const report = {
    machine,
    settings: { twins, devices, seconds, rounds },
    ...found,
    overload: { ...overload, ...stored },
    memoryMB10000Twins: twins === 10_000 ? (filled?.pssMB ?? null) : null,
    memoryMB: { empty, filled, afterLoad: found.memoryAfterLoad },
    limits,
  };
  printReport(report);
  return { ...report, within: verdicts(report) };
}

interface Parts {
  readonly edge: EdgeProcess;
  readonly load: LoadProcess;
  readonly ceiling: Ceiling | { readonly refused: string };
  readonly options: BenchTwinsOptions;
}

async function measureUnderLoad({ edge, load, ceiling, options }: Parts) {
  const { devices: count, seconds } = options;
  await load.run({ kind: 'connect', port: edge.mqttPort, count });
  await using stack = new AsyncDisposableStack();
  const rounds = await measureRounds({
    ...{ edge, load, options },
    ceiling: 'refused' in ceiling ? ceiling : { ceiling, load: stack.use(await other(ceiling)) },
  });
  const feedback = await measureFeedback(load, { port: edge.mqttPort, seconds });
  const most = rounds.updatesPerSecond;
  const overload = await measureOverload(load, { edge, seconds: 4 * seconds, most });
  return { ...rounds, ...feedback, overload, memoryAfterLoad: await settledMemory(edge.pid) };

  async function other({ port }: Ceiling): Promise<LoadProcess> {
    const process = startLoad();
    await process.run({ kind: 'connect', port, count });
    return process;
  }
}

/** Once the collector has had the time to see what was only passing by. */
async function settledMemory(pid: number) {
  await new Promise((resolve) => setTimeout(resolve, 3000));
  return processMemory(pid);
}

function describeMachine(folder: string) {
  const [cpu] = cpus();
  const durable = statfsSync(folder).type !== TMPFS_MAGIC;
  const machine = {
    ...{ cpu: cpu?.model, cores: cpus().length, node: process.version, arch: process.arch },
    ...{ loadAverage: loadavg()[0]!, durable },
  };
  console.log(`${machine.cores} cores, load ${machine.loadAverage.toFixed(1)}`);
  if (!durable) console.log('the data folder is in memory: nothing here is durable; use --data');
  return machine;
}
