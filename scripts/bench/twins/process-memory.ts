import { readFileSync } from 'node:fs';

export interface ProcessMemory {
  /** Its own pages, and its share of those it has in common with others (proc(5)). */
  readonly pssMB: number;
  readonly rssMB: number;
  /** The most it ever held. */
  readonly peakRssMB: number;
}

/** What a process holds, in MB of 1,000,000 bytes; `undefined` where there is no /proc. */
export function processMemory(pid: number): ProcessMemory | undefined {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return {
      pssMB: megabytes(/^Pss:\s+(\d+) kB/m.exec(rollup)),
      rssMB: megabytes(/^VmRSS:\s+(\d+) kB/m.exec(status)),
      peakRssMB: megabytes(/^VmHWM:\s+(\d+) kB/m.exec(status)),
    };
  } catch {
    return undefined; // not Linux, or the process has ended
  }
}

function megabytes(found: RegExpExecArray | null): number {
  return Math.round((Number(found?.[1] ?? Number.NaN) * 1024) / 1e5) / 10;
}
