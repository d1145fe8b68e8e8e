import { join } from 'node:path';
import { channelSensor } from './channel-sensor.ts';
import type { LiveSensor } from './sensor.ts';
import { readAttribute } from './sysfs.ts';

/** Position of idle and waiting-for-I/O time among the fields of /proc/stat (proc_stat(5)). */
const IDLE_FIELDS = [3, 4];
/** Fields 9 and 10, guest time, are part of user time already. */
const FIELDS_COUNTED = 8;

export interface HostOptions {
  readonly procRoot: string;
  readonly periodMs: number;
}

/**
 * This machine: `cpu/load` (runnable tasks, mean over a minute), `cpu/usage` (% of all cores since
 * the reading before; for the first, since boot), `memory/available` and `memory/total` (bytes).
 */
export function createHostSensor({ procRoot, periodMs }: HostOptions): LiveSensor {
  const usage = cpuUsage(join(procRoot, 'stat'));
  const memory = join(procRoot, 'meminfo');
  return channelSensor('host', periodMs, [
    {
      descriptor: { property: 'cpu/load', unit: '1' },
      read: () => Number.parseFloat(readAttribute(join(procRoot, 'loadavg'))),
    },
    {
      descriptor: { property: 'cpu/usage', unit: '%', range: [0, 100] },
      read: usage,
    },
    {
      descriptor: { property: 'memory/available', unit: 'By' },
      read: () => memoryBytes(memory, 'MemAvailable'),
    },
    {
      descriptor: { property: 'memory/total', unit: 'By' },
      read: () => memoryBytes(memory, 'MemTotal'),
    },
  ]);
}

function cpuUsage(statFile: string): () => number {
  let before = { busy: 0, total: 0 };
  let share = 0;
  return () => {
    const now = cpuTicks(readAttribute(statFile));
    // Within one tick of the counters there is nothing to divide by: the last share still holds.
    if (now.total > before.total) {
      share = (now.busy - before.busy) / (now.total - before.total);
      before = now;
    }
    return 100 * Math.min(1, Math.max(0, share));
  };
}

function cpuTicks(stat: string): { busy: number; total: number } {
  const line = stat.match(/^cpu +(.*)$/m)?.[1];
  if (line === undefined) throw new Error('/proc/stat has no cpu line');
  const ticks = line.split(/ +/).slice(0, FIELDS_COUNTED).map(Number);
  const total = ticks.reduce((sum, field) => sum + field, 0);
  const idle = IDLE_FIELDS.reduce((sum, field) => sum + (ticks[field] ?? 0), 0);
  return { busy: total - idle, total };
}

function memoryBytes(file: string, field: string): number {
  const kibibytes = readAttribute(file).match(new RegExp(`^${field}: +(\\d+) kB$`, 'm'))?.[1];
  if (kibibytes === undefined) throw new Error(`${file} has no ${field}`);
  return Number(kibibytes) * 1024;
}
