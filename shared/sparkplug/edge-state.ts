import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import type { MetricTable, Reading } from './edge-metrics.ts';
import { checkReading, type EdgeMetric, type MetricDefinition } from './edge-metrics.ts';
import type { HostState } from './host-state.ts';
import { checkTemplates } from './template-rules.ts';
import { isSparkplugId, type NodeAddress } from './topic.ts';

export interface EdgeOptions extends NodeAddress {
  /** The host application that has to be online before anything is published. */
  readonly primaryHost?: string;
  /** How many brokers there are to choose from. */
  readonly serverCount: number;
  /** Least time between two births that were asked for. */
  readonly rebirthIntervalMs: number;
}

export interface EdgeDevice {
  readonly isUp: boolean;
  readonly metrics: MetricTable;
}

/**
 * `connecting`, `subscribing`: until the broker has granted these. `waiting`: for the primary host.
 * `held`: a birth was asked for, and its time has not come; until then no data goes out.
 */
export type EdgePhase = 'offline' | 'connecting' | 'subscribing' | 'waiting' | 'online' | 'held';

/** One edge node's session; plain data. */
export interface EdgeSession {
  readonly options: EdgeOptions;
  readonly phase: EdgePhase;
  /** Of the newest CONNECT, 0 to 255; -1 before the first. */
  readonly bdSeq: number;
  /** No CONNECT has carried it yet. */
  readonly isBdSeqUnused: boolean;
  /** Of the next message, 0 to 255. */
  readonly seq: number;
  /** What the primary host last said on this connection. */
  readonly host: HostState | undefined;
  /** Monotonic time of the last birth. */
  readonly bornMs: number;
  readonly node: MetricTable;
  readonly devices: ReadonlyMap<string, EdgeDevice>;
  readonly nextAlias: bigint;
}

export const REBIRTH = 'Node Control/Rebirth';
export const BD_SEQ = 'bdSeq';

export type DefinitionFailure = Failure<'definition-invalid'>;

/** What a birth is to announce; `device` is absent for the metrics of the edge node itself. */
export interface Definitions {
  readonly device?: string;
  readonly metrics: readonly MetricDefinition[];
  /** Current values; a metric that is not among them is null. */
  readonly initial: readonly Reading[];
  readonly wallMs: number;
}

/**
 * A session that has not connected yet. `bdSeq` is the one the shell kept last, if any: the first
 * CONNECT has the next.
 */
export function createEdgeSession(options: EdgeOptions, bdSeq = -1): EdgeSession {
  return {
    options,
    phase: 'offline',
    bdSeq,
    isBdSeqUnused: false,
    seq: 0,
    host: undefined,
    bornMs: Number.NEGATIVE_INFINITY,
    node: new Map(),
    devices: new Map(),
    nextAlias: 1n,
  };
}

/**
 * The session with other metrics for the edge node or a device, which is up then. A metric keeps
 * its alias as long as its name and data type stay; no alias ever serves another.
 *
 * Errors: `definition-invalid`.
 */
export function defineMetrics(
  session: EdgeSession,
  definitions: Definitions,
): Result<EdgeSession, DefinitionFailure> {
  const { device, metrics, initial } = definitions;
  const wrong = wrongDevice(session, device) ?? wrongNames(metrics);
  if (wrong !== undefined) return fail('definition-invalid', wrong);
  const before = device === undefined ? session.node : session.devices.get(device)?.metrics;
  let { nextAlias } = session;
  const table = new Map<string, EdgeMetric>();
  for (const definition of metrics) {
    const { name, datatype } = definition;
    const old = before?.get(name);
    const alias = old?.definition.datatype === datatype ? old.alias : nextAlias++;
    const nothing = { name, value: null, timestampMs: definitions.wallMs } as const;
    table.set(name, { definition, alias, current: { ...nothing, quality: 'stale' } });
  }
  for (const reading of initial) {
    const metric = checkReading(table, reading);
    if (!metric.ok) return fail('definition-invalid', metric.error.message);
    table.set(reading.name, { ...metric.value, current: reading });
  }
  const next = { ...session, nextAlias, ...placed(session, device, table) };
  const wrongTemplate = checkTemplates(next.node, device === undefined ? undefined : table);
  return wrongTemplate === undefined ? ok(next) : fail('definition-invalid', wrongTemplate);
}

function placed(
  session: EdgeSession,
  device: string | undefined,
  metrics: MetricTable,
): Pick<EdgeSession, 'node' | 'devices'> {
  const { node, devices } = session;
  if (device === undefined) return { node: metrics, devices };
  return { node, devices: new Map(devices).set(device, { isUp: true, metrics }) };
}

function wrongDevice({ devices }: EdgeSession, device: string | undefined): string | undefined {
  if (device === undefined) return undefined;
  if (!isSparkplugId(device)) return `${JSON.stringify(device)} cannot be the id of a device`;
  const lower = device.toLowerCase();
  const other = [...devices.keys()].find((id) => id !== device && id.toLowerCase() === lower);
  return other && `the ids ${device} and ${other} differ in case only; rename one`;
}

function wrongNames(metrics: readonly MetricDefinition[]): string | undefined {
  const seen = new Set([BD_SEQ.toLowerCase(), REBIRTH.toLowerCase()]);
  for (const { name, datatype } of metrics) {
    if (name === '' || !name.isWellFormed()) return `${JSON.stringify(name)} names no metric`;
    if (seen.has(name.toLowerCase())) return `the metric ${name} is there twice, or reserved`;
    if (datatype === 'Unknown' || datatype.startsWith('PropertySet')) {
      return `the metric ${name} cannot be of data type ${datatype}`;
    }
    seen.add(name.toLowerCase());
  }
  return undefined;
}
