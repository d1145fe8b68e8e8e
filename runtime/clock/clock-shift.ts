import { readFileSync } from 'node:fs';

const READ_PERIOD_MS = 50;

/**
 * How far the wall clock is to be off, in milliseconds: the number in `file`, read again every
 * 50 ms; 0 where there is none. For tests of programs whose clock jumps while they run.
 */
export function createClockShift(file: string): () => number {
  let shiftMs = 0;
  let readAtMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = performance.now();
    if (nowMs - readAtMs < READ_PERIOD_MS) return shiftMs;
    readAtMs = nowMs;
    shiftMs = readNumber(file) ?? shiftMs;
    return shiftMs;
  };
}

/** `undefined` where the file is missing or just being written. */
function readNumber(file: string): number | undefined {
  try {
    const text = readFileSync(file, 'utf8').trim();
    return text !== '' && Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}
