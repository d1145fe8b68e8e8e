import { readFileSync } from 'node:fs';

/** Of the kernel's accounting (`getconf CLK_TCK`): 100 wherever Linux has Node. */
const TICKS_PER_SECOND = 100;

export interface ProcessUsage {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** What a process has used so far and holds now (proc(5)); undefined where there is no /proc. */
export function processUsage(pid: number): ProcessUsage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field may hold blanks and brackets; utime and stime are the 14th and 15th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    const rss = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return {
      cpuSeconds: ticks / TICKS_PER_SECOND,
      rssBytes: 1024 * Number(rss?.[1] ?? Number.NaN),
    };
  } catch {
    return undefined; // not Linux, or the process has ended: it was not measured
  }
}
