import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { anomalyScoreProperty } from '#shared/twin/sample.ts';
import { freePorts } from '../free-ports.ts';
import { initLedger } from '../ledger/init-ledger.ts';
import { type MoteId, type MoteRecords, moteIds } from './motes.ts';

/** The share of the trial's time in which the motes' record is replayed. */
const REPLAY_SHARE = 0.75;

const trialGroup = 'trial';
export const features = [
  { property: 'environment/temperature', scale: 0.1 },
  { property: 'environment/humidity', scale: 0.5 },
] as const;

/** What the motes without labelled events send in part. */
export const reportedInPart = [
  { property: 'environment/temperature', column: 'temperature', tolerance: 0.1 },
  { property: 'environment/humidity', column: 'humidity', tolerance: 0.5 },
] as const;
const reportingMotes: readonly MoteId[] = [2, 3];
/** Ten minutes of the original. */
const HEARTBEAT_READINGS = 120;

/** The device's output that a feedback rule switches on while its readings are not as forecast. */
export const warningOutput = 'warning/output';
export const feedbackRule = {
  name: 'warn-of-anomaly',
  threshold: { property: anomalyScoreProperty, above: 5, clear: 2 },
  set: { property: warningOutput, value: true, otherwise: false },
};

export interface PlannedProgram {
  readonly name: string;
  /** The subcommand of `diten` that runs it. */
  readonly kind: 'edge' | 'device';
  readonly configFile: string;
  readonly dataFolder: string;
}

export interface PlannedEdge extends PlannedProgram {
  readonly kind: 'edge';
  readonly apiUrl: string;
}

export interface PlannedDevice extends PlannedProgram {
  readonly kind: 'device';
  /** The edge node that hosts its twin. */
  readonly edge: PlannedEdge;
  /** The mote whose record it replays; none where it reads this machine's sensors. */
  readonly mote?: MoteId;
  /** Whether it sends a part of its samples only. */
  readonly reporting: boolean;
}

export interface TrialPlan {
  readonly folder: string;
  /** The first coordinates the learning; each is a validator of the ledger. */
  readonly edges: readonly PlannedEdge[];
  readonly devices: readonly PlannedDevice[];
  /** Time between two replayed readings. */
  readonly periodMs: number;
}

interface TrialSize {
  readonly seconds: number;
  readonly edges: number;
  readonly motes: MoteRecords;
}

/** Ports of one edge node. */
interface Ports {
  readonly mqtt: number;
  readonly http: number;
  readonly peers: number;
}

/** Writes a TOML file for each program of the trial under `folder`, on free loopback ports. */
export async function planTrial(
  folder: string,
  { seconds, edges: count, motes }: TrialSize,
): Promise<TrialPlan> {
  const free = await freePorts(3 * count);
  const ports = Array.from({ length: count }, (_, index): Ports => {
    const [mqtt, http, peers] = free.slice(3 * index);
    return { mqtt: mqtt!, http: http!, peers: peers! };
  });
  const program = (name: string) => ({
    name,
    configFile: join(folder, name, 'config.toml'),
    dataFolder: join(folder, name, 'data'),
  });
  const edges = ports.map(
    ({ http }, index): PlannedEdge => ({
      ...program(`edge-${index + 1}`),
      kind: 'edge',
      apiUrl: `http://127.0.0.1:${http}`,
    }),
  );
  const longest = Math.max(...[...motes.readings.values()].map((readings) => readings.length));
  const periodMs = (seconds * 1000 * REPLAY_SHARE) / longest;
  const devices = [...moteIds, undefined].map(
    (mote, index): PlannedDevice => ({
      ...program(mote === undefined ? 'host' : `mote-${mote}`),
      kind: 'device',
      edge: edges[index % count]!,
      ...(mote === undefined ? {} : { mote }),
      reporting: mote !== undefined && reportingMotes.includes(mote),
    }),
  );
  writeEdges(edges, { folder, ports, seconds });
  for (const device of devices) {
    const { mqtt } = ports[edges.indexOf(device.edge)]!;
    write(device, {
      id: device.name,
      group: trialGroup,
      data: device.dataFolder,
      mqtt: { url: `mqtt://127.0.0.1:${mqtt}` },
      sensors:
        device.mote === undefined ? liveSensors() : [replay(motes.file, device.mote, periodMs)],
      ...(device.reporting ? { reporting: reportingRules(periodMs) } : {}),
      actuators: [{ kind: 'simulated', property: warningOutput }],
    });
  }
  return { folder, edges, devices, periodMs };
}

function writeEdges(
  edges: readonly PlannedEdge[],
  { folder, ports, seconds }: { folder: string; ports: readonly Ports[]; seconds: number },
): void {
  const listen = ports.map(({ peers }) => [`/ip4/127.0.0.1/tcp/${peers}`]);
  const genesis = initLedger({
    folder,
    chainId: trialGroup,
    timeMs: Date.now(),
    members: edges.map(({ name, dataFolder }, index) => ({
      name,
      dataFolder,
      addresses: listen[index]!,
    })),
  });
  const intervalMs = Math.round(Math.min(60_000, Math.max(500, (seconds * 1000) / 30)));
  const deadlineMs = Math.max(5000, 3 * intervalMs);
  for (const [index, edge] of edges.entries()) {
    write(edge, {
      id: edge.name,
      group: trialGroup,
      data: edge.dataFolder,
      mqtt: { host: '127.0.0.1', port: ports[index]!.mqtt },
      http: { host: '127.0.0.1', port: ports[index]!.http },
      ledger: { genesis, listen: listen[index] },
      feedback: [feedbackRule],
      ...(index === 0 ? { learning: { features, quorum: 3, intervalMs, deadlineMs } } : {}),
    });
  }
}

function replay(file: string, mote: MoteId, periodMs: number) {
  return {
    kind: 'replay',
    file,
    filter: { column: 'mote_id', value: String(mote) },
    columns: [
      { column: 'temperature', property: 'environment/temperature', unit: 'Cel' },
      { column: 'humidity', property: 'environment/humidity', unit: '%' },
    ],
    periodMs,
  };
}

function reportingRules(periodMs: number) {
  const heartbeatSeconds = Math.max(0.1, (HEARTBEAT_READINGS * periodMs) / 1000);
  return reportedInPart.map(({ property, tolerance }) => ({
    ...{ property, tolerance, heartbeatSeconds },
  }));
}

function liveSensors() {
  return ['host', 'thermal', 'hwmon'].map((kind) => ({ kind }));
}

function write(program: PlannedProgram, config: object): void {
  mkdirSync(join(program.configFile, '..'), { recursive: true });
  writeFileSync(program.configFile, stringify(config));
}
