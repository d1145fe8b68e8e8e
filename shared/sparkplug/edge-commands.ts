import type { Failure } from '../basics/result.ts';
import type { MetricTable } from './edge-metrics.ts';
import { type EdgeSession, REBIRTH } from './edge-state.ts';
import type { Metric, MetricValue } from './metric.ts';
import { readValue } from './metric-value.ts';
import { decodePayload } from './payload.ts';

/** A value that a host application wants a metric to have. */
export interface MetricWrite {
  readonly name: string;
  readonly value: MetricValue | null;
}

export type CommandFailure = Failure<
  'command-malformed' | 'device-unknown' | 'metric-unknown' | 'metric-read-only' | 'value-mismatch'
>;

export interface Command {
  readonly wantsRebirth: boolean;
  readonly writes: readonly MetricWrite[];
  readonly refused: readonly CommandFailure[];
}

/** What an NCMD (no `device`) or a DCMD asks for; what cannot be done is among the refused. */
export function readCommand(
  session: EdgeSession,
  device: string | undefined,
  payload: Uint8Array,
): Command {
  const decoded = decodePayload(payload);
  if (!decoded.ok) {
    const message = `a command could not be read: ${decoded.error.message}`;
    return refused({ code: 'command-malformed', message });
  }
  const unit = device === undefined ? undefined : session.devices.get(device);
  if (device !== undefined && !unit?.isUp) {
    const message = `a command is for ${device}, which is not here; send it after its birth`;
    return refused({ code: 'device-unknown', message });
  }
  const { metrics } = decoded.value;
  const isRebirth = (metric: Metric) => device === undefined && metric.name === REBIRTH;
  const writes = metrics
    .filter((metric) => !isRebirth(metric))
    .map((metric) => readWrite(unit?.metrics ?? session.node, metric));
  return {
    wantsRebirth: metrics.some(
      (metric) => isRebirth(metric) && metric.value?.kind === 'boolean' && metric.value.value,
    ),
    writes: writes.filter((write) => 'value' in write),
    refused: writes.filter((write) => 'code' in write),
  };
}

function refused(failure: CommandFailure): Command {
  return { wantsRebirth: false, writes: [], refused: [failure] };
}

function readWrite(metrics: MetricTable, wanted: Metric): MetricWrite | CommandFailure {
  const metric =
    wanted.alias === undefined
      ? metrics.get(wanted.name ?? '')
      : [...metrics.values()].find(({ alias }) => alias === wanted.alias);
  const label = wanted.name ?? `alias ${wanted.alias}`;
  if (metric === undefined) {
    const message = `a command names ${label}, which no birth announced`;
    return { code: 'metric-unknown', message };
  }
  const { name, datatype, isWritable } = metric.definition;
  if (!isWritable) {
    return { code: 'metric-read-only', message: `a command writes ${name}, which cannot be` };
  }
  if (wanted.value === undefined) {
    return { code: 'value-mismatch', message: `a command has no value for ${name}` };
  }
  if (wanted.value === null) return { name, value: null };
  const value = readValue(datatype, wanted.value);
  if (value.ok) return { name, value: value.value };
  return { code: 'value-mismatch', message: `a command for ${name}: ${value.error.message}` };
}
