import { setTimeout as sleep } from 'node:timers/promises';
import { openLedgerFile } from './ledger-input.ts';
import { linesOf } from './show-record.ts';

export interface TailOptions {
  readonly file: string;
  /** The first height shown; the newest of the file where left out. */
  readonly from?: number;
  readonly json: boolean;
}

const POLL_MS = 100;

/**
 * `diten ledger tail`: the blocks from a height on, then each new one as the node commits it, until
 * SIGINT, SIGTERM or the reader of its output goes.
 */
export async function runTail({ file, from, json }: TailOptions): Promise<void> {
  using ledger = openLedgerFile(file);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  process.stdout.once('error', () => stop.abort());
  let next = from ?? Math.max(1, ledger.chain.head.height);
  while (!stop.signal.aborted) {
    for (const recorded of ledger.blocks(next)) {
      for (const line of linesOf(ledger, recorded, json)) console.log(line);
      next = recorded.block.header.height + 1;
      if (stop.signal.aborted) return;
    }
    await sleep(POLL_MS, undefined, { signal: stop.signal }).catch(() => undefined);
  }
}
