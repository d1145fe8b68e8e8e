import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Lets a running process write no byte to any file any more (RLIMIT_FSIZE, setrlimit(2)): each
 * write fails with EFBIG, as with ENOSPC on a full disk, and what is written stays. Needs no root.
 *
 * Errors: where there is no prlimit (util-linux), or it may not.
 */
export async function fillDisk(pid: number): Promise<void> {
  await run('prlimit', ['--pid', String(pid), '--fsize=1:']);
}

/** Lets it write again. */
export async function freeDisk(pid: number): Promise<void> {
  await run('prlimit', ['--pid', String(pid), '--fsize=unlimited:']);
}
