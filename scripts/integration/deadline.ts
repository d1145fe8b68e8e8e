import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 40_000;

/** Rejects where the promise is not settled in 40 s, so that a test fails and still cleans up. */
export async function inTime<T>(promise: Promise<T>): Promise<T> {
  const late = sleep(PATIENCE_MS, undefined, { ref: false }).then(() => {
    throw new Error(`nothing came of it in ${PATIENCE_MS} ms`);
  });
  return Promise.race([promise, late]);
}

/** Waits for a condition to come true; rejects where it has not in 40 s. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not so in ${PATIENCE_MS} ms: ${condition}`);
    await sleep(5);
  }
}
