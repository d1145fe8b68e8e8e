import type { Fault } from './fault-plan.ts';

const PERIOD_MS = 250;

export interface ChaosView extends Disposable {
  note(text: string): void;
  fault(fault: Fault, device: string): void;
}

/** A line for each fault; on a terminal a live one below, of how far the run is. */
export function createChaosView(run: { seconds: number; planned: number }): ChaosView {
  const { stdout } = process;
  const startMs = performance.now();
  const elapsed = () => ((performance.now() - startMs) / 1000).toFixed(1);
  let faults = 0;
  const live = () => {
    if (!stdout.isTTY) return;
    stdout.write(`\r\x1b[K${elapsed()} of ${run.seconds} s, ${faults} of ${run.planned} faults`);
  };
  const note = (text: string) => {
    stdout.write(`${stdout.isTTY ? '\r\x1b[K' : ''}${text}\n`);
    live();
  };
  const timer = setInterval(live, PERIOD_MS);
  return {
    note,
    fault({ kind, durationMs }, device) {
      faults++;
      const about = /edge|all/.test(kind) ? '' : ` ${device}`;
      note(`${elapsed().padStart(6)} s  ${kind}${about} (${(durationMs / 1000).toFixed(1)} s)`);
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      if (stdout.isTTY) stdout.write('\r\x1b[K');
    },
  };
}
