import { exitCode, ProgramError } from './program-error.ts';

export interface ProgramContext {
  /** Stops the program from within: for an error that no retry can mend. */
  fail(error: unknown): void;
}

/**
 * A signal sent to a whole group comes twice where the launcher, which is in it, passes it on: what
 * follows the first this closely is the same one.
 */
export const SAME_SIGNAL_MS = 500;

/**
 * Runs a program until it is told to stop: starts it, disposes of it on SIGTERM, SIGINT or the loss
 * of the parent that supervises it over an IPC channel, and exits; told so while it is starting, it
 * starts first, for disposal may have something to hand over. A second signal exits at once.
 * A {@link ProgramError} is one line on standard error and its exit code.
 */
export async function runProgram(
  start: (context: ProgramContext) => Promise<AsyncDisposable>,
): Promise<void> {
  let stoppingSinceMs: number | undefined;

  const stop = async (code: number) => {
    if (stoppingSinceMs !== undefined) {
      if (performance.now() - stoppingSinceMs < SAME_SIGNAL_MS) return;
      process.exit(code === exitCode.ok ? exitCode.failed : code);
    }
    stoppingSinceMs = performance.now();
    try {
      await (await started)[Symbol.asyncDispose]();
      process.exit(code);
    } catch (error) {
      process.exit(report(error));
    }
  };
  const fail = (error: unknown) => void stop(report(error));

  process.on('SIGTERM', () => void stop(exitCode.ok));
  process.on('SIGINT', () => void stop(exitCode.ok));
  process.on('disconnect', () => void stop(exitCode.ok));
  process.on('uncaughtException', (error) => process.exit(report(error)));

  const started = Promise.resolve({ fail }).then(start);
  try {
    await started;
  } catch (error) {
    process.exit(report(error));
  }
  if (process.connected) process.send?.({ kind: 'ready' });
}

/** Tells the person why the program ends; returns the exit code. */
export function report(error: unknown): number {
  if (error instanceof ProgramError) {
    process.stderr.write(`diten: ${error.message} [${error.code}]\n`);
    return error.exit;
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`diten: unexpected failure: ${detail}\n`);
  return exitCode.failed;
}
