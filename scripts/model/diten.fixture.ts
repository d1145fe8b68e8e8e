import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';

const PROGRAM = join(import.meta.dirname, '..', 'diten.ts');

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly complaint: string;
}

/** Runs `diten` in a process of its own. */
export function runDiten(args: readonly string[], cwd: string): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...args], { cwd }, (error, out, complaint) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, complaint });
    });
  });
}

/** Runs `diten`, which should refuse in one line that says what is the matter. */
export async function refuses(
  args: readonly string[],
  cwd: string,
  { code = 1, says }: { code?: number; says: RegExp },
): Promise<void> {
  const ran = await runDiten(args, cwd);
  assert.match(ran.complaint, /^diten: [^\n]+\n$/);
  assert.match(ran.complaint, says);
  assert.equal(ran.code, code);
}

/** A folder for the tests of a suite, gone after them. */
export function useFolder(): { path(name: string): string; readonly folder: string } {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'diten-model-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  return {
    path: (name) => join(folder, name),
    get folder() {
      return folder;
    },
  };
}
