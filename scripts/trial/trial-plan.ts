import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { type MoteId, type MoteRecords, moteIds } from './motes.ts';

/** The share of the trial's time in which the motes' record is replayed. */
const REPLAY_SHARE = 0.75;

const trialGroup = 'trial';
export const features = [
  { property: 'environment/temperature', scale: 0.1 },
  { property: 'environment/humidity', scale: 0.5 },
] as const;

export interface PlannedProgram {
  readonly name: string;
  /** The subcommand of `diten` that runs it. */
  readonly kind: 'edge' | 'device';
  readonly configFile: string;
  readonly dataFolder: string;
}

export interface PlannedDevice extends PlannedProgram {
  readonly kind: 'device';
  /** The mote whose record it replays; none where it reads this machine's sensors. */
  readonly mote?: MoteId;
}

export interface TrialPlan {
  readonly folder: string;
  readonly edge: PlannedProgram;
  readonly devices: readonly PlannedDevice[];
  readonly apiUrl: string;
  /** Time between two replayed readings. */
  readonly periodMs: number;
}

/** Writes a TOML file for each program of the trial under `folder`, on free loopback ports. */
export async function planTrial(
  folder: string,
  { seconds, motes }: { seconds: number; motes: MoteRecords },
): Promise<TrialPlan> {
  const [mqttPort, httpPort] = await freePorts(2);
  const longest = Math.max(...[...motes.readings.values()].map((readings) => readings.length));
  const periodMs = (seconds * 1000 * REPLAY_SHARE) / longest;
  const program = (name: string) => ({
    name,
    configFile: join(folder, name, 'config.toml'),
    dataFolder: join(folder, name, 'data'),
  });
  const plan: TrialPlan = {
    folder,
    edge: { ...program('edge-1'), kind: 'edge' },
    devices: [
      ...moteIds.map((mote) => ({ ...program(`mote-${mote}`), kind: 'device' as const, mote })),
      { ...program('host'), kind: 'device' },
    ],
    apiUrl: `http://127.0.0.1:${httpPort}`,
    periodMs,
  };
  write(plan.edge, edgeConfig(plan.edge, { mqttPort: mqttPort!, httpPort: httpPort!, seconds }));
  for (const device of plan.devices) {
    write(device, {
      id: device.name,
      group: trialGroup,
      data: device.dataFolder,
      mqtt: { url: `mqtt://127.0.0.1:${mqttPort}` },
      sensors:
        device.mote === undefined ? liveSensors() : [replay(motes.file, device.mote, periodMs)],
    });
  }
  return plan;
}

function edgeConfig(
  edge: PlannedProgram,
  { mqttPort, httpPort, seconds }: { mqttPort: number; httpPort: number; seconds: number },
) {
  const intervalMs = Math.round(Math.min(60_000, Math.max(500, (seconds * 1000) / 30)));
  return {
    id: edge.name,
    group: trialGroup,
    data: edge.dataFolder,
    mqtt: { host: '127.0.0.1', port: mqttPort },
    http: { host: '127.0.0.1', port: httpPort },
    learning: { features, quorum: 3, intervalMs, deadlineMs: Math.max(5000, 3 * intervalMs) },
  };
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

function liveSensors() {
  return ['host', 'thermal', 'hwmon'].map((kind) => ({ kind }));
}

function write(program: PlannedProgram, config: object): void {
  mkdirSync(join(program.configFile, '..'), { recursive: true });
  writeFileSync(program.configFile, stringify(config));
}

/** Ports that are free now; held together while they are chosen, so that no two are the same. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(
    servers.map((server) => new Promise<void>((done) => server.listen(0, '127.0.0.1', done))),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
