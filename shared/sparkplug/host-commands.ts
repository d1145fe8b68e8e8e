import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import { resolveMetric } from './host-birth.ts';
import type { HostNode } from './host-node-state.ts';
import type { Metric, MetricValue } from './metric.ts';
import { readValue, toWireValue } from './metric-value.ts';
import { decodePayload, encodePayload } from './payload.ts';
import type { Publication } from './publication.ts';
import { formatTopic, type NodeAddress } from './topic.ts';

export type CommandRefusal = Failure<'node-offline' | 'metric-unknown' | 'value-mismatch'>;

export interface CommandRequest {
  /** Absent: a command to the edge node itself. */
  readonly device?: string;
  readonly writes: readonly { readonly name: string; readonly value: MetricValue | null }[];
  readonly wallMs: number;
}

/**
 * NCMD or DCMD that writes metrics the births announced, by alias where there is one (Sparkplug
 * 3.0, 5.12 and 6.4.23).
 *
 * Errors: `node-offline` (the edge node or the device), `metric-unknown`, `value-mismatch`.
 */
export function commandTo(
  node: HostNode,
  { device, writes, wallMs }: CommandRequest,
): Result<Publication, CommandRefusal> {
  const unit = device === undefined ? undefined : node.devices.get(device);
  if (node.phase !== 'online' || (device !== undefined && !unit?.isUp)) {
    const who = device ?? node.address.node;
    return fail('node-offline', `${who} is offline or not known yet; send the command later`);
  }
  const metrics: Metric[] = [];
  for (const { name, value } of writes) {
    const born = (unit?.metrics ?? node.metrics).get(name);
    if (born === undefined) return fail('metric-unknown', `no birth announced ${name}`);
    const wire = value === null ? ok(null) : toWireValue(born.datatype, value);
    if (!wire.ok) return fail('value-mismatch', `${name}: ${wire.error.message}`);
    const handle = born.alias === undefined ? { name } : { alias: born.alias };
    metrics.push({ ...handle, timestampMs: wallMs, value: wire.value });
  }
  return ok(command(node.address, { device, metrics, wallMs }));
}

/** A value that some host application wants a metric of a device to have. */
export interface OverheardWrite {
  readonly name: string;
  readonly value: MetricValue;
}

/**
 * What a DCMD of any host application writes, by the births of the device it is for.
 *
 * Failures: `command-malformed`, `node-offline`, `metric-unknown` and `alias-conflict` as of data,
 * `metric-read-only` (its birth does not say `readOnly` false), `value-mismatch`.
 */
export function overheardWrites(
  node: HostNode | undefined,
  { device, payload }: { readonly device: string; readonly payload: Uint8Array },
): { readonly writes: readonly OverheardWrite[]; readonly refused: readonly Failure[] } {
  const decoded = decodePayload(payload);
  if (!decoded.ok) {
    const message = `a command could not be read: ${decoded.error.message}`;
    return { writes: [], refused: [{ code: 'command-malformed', message }] };
  }
  const unit = node?.devices.get(device);
  if (node?.phase !== 'online' || !unit?.isUp) {
    const message = `a command is for ${device}, which is not born; send it after its birth`;
    return { writes: [], refused: [{ code: 'node-offline', message }] };
  }
  const born = { metrics: unit.metrics, aliases: node.aliases, device };
  const read = decoded.value.metrics.map((metric) => readWrite(metric, born));
  return {
    writes: read.flatMap((each) => (each.ok ? [each.value] : [])),
    refused: read.flatMap((each) => (each.ok ? [] : [each.error])),
  };
}

function readWrite(
  wanted: Metric,
  born: Parameters<typeof resolveMetric>[1],
): Result<OverheardWrite, Failure> {
  const metric = resolveMetric(wanted, born);
  if (!metric.ok) return fail(metric.error.code, `a command: ${metric.error.message}`);
  const { name, datatype, isWritable } = metric.value;
  if (!isWritable) return fail('metric-read-only', `a command writes ${name}, which cannot be`);
  if (wanted.value === undefined || wanted.value === null) {
    return fail('value-mismatch', `a command has no value for ${name}`);
  }
  const value = readValue(datatype, wanted.value);
  if (value.ok) return ok({ name, value: value.value });
  return fail('value-mismatch', `a command for ${name}: ${value.error.message}`);
}

/** NCMD that asks an edge node for its births. */
export function rebirthRequest(address: NodeAddress, wallMs: number): Publication {
  const value = { kind: 'boolean', value: true } as const;
  const metrics = [{ name: 'Node Control/Rebirth', timestampMs: wallMs, value }];
  return command(address, { device: undefined, metrics, wallMs });
}

function command(
  { group, node }: NodeAddress,
  request: { device: string | undefined; metrics: readonly Metric[]; wallMs: number },
): Publication {
  const { device, metrics, wallMs } = request;
  const topic =
    device === undefined
      ? formatTopic({ kind: 'NCMD', group, node })
      : formatTopic({ kind: 'DCMD', group, node, device });
  return {
    topic,
    payload: encodePayload({ timestampMs: wallMs, metrics }),
    qos: 0,
    retain: false,
  };
}
