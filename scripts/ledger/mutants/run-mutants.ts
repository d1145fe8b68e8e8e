import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitCode } from '#runtime/process/program-error.ts';
import { HEIGHT_MUTANTS } from './height-mutants.ts';
import type { Mutant } from './mutant.ts';
import { ROUND_MUTANTS } from './round-mutants.ts';
import { SHELL_MUTANTS } from './shell-mutants.ts';
import { VOTE_MUTANTS } from './vote-mutants.ts';

/** Every mutant there is. */
export const MUTANTS: readonly Mutant[] = [
  ...ROUND_MUTANTS,
  ...HEIGHT_MUTANTS,
  ...VOTE_MUTANTS,
  ...SHELL_MUTANTS,
];
const ROOT = join(import.meta.dirname, '../../..');
/** Run where the mutant is, by its path from the root. */
const ORACLES = relative(ROOT, fileURLToPath(import.meta.resolve('./oracles.ts')));
const CORE = 'shared/ledger/consensus';
/** A mutant may loop for ever, which is a way of being caught. */
const TIMEOUT_MS = 60_000;
const TESTS = [`${CORE}/*.test.ts`];

/** One copy of the sources that a mutant is written into, and put right again after. */
interface Copy extends AsyncDisposable {
  readonly folder: string;
}

/**
 * Takes one rule after the other out of the core, in a copy, and looks whether the traces, the
 * simulation or the unit tests notice. One line a mutant; the exit code says whether all were
 * caught.
 */
export async function runMutants(mutants: readonly Mutant[]): Promise<number> {
  await using copy = await createCopy();
  let survived = 0;
  for (const mutant of mutants) {
    const caught = await catchMutant(copy.folder, mutant);
    if (caught === undefined) survived += 1;
    console.log(`${caught === undefined ? 'SURVIVED' : 'caught'}  ${mutant.name}  [${caught}]`);
  }
  console.log(
    `${mutants.length} mutants, ${mutants.length - survived} caught, ${survived} survived`,
  );
  return survived === 0 ? exitCode.ok : exitCode.failed;
}

async function createCopy(): Promise<Copy> {
  const folder = await mkdtemp(join(tmpdir(), 'diten-mutants-'));
  const parts = ['shared', 'runtime/process', 'scripts/ledger', 'package.json'];
  await Promise.all(
    parts.map((part) => cp(join(ROOT, part), join(folder, part), { recursive: true })),
  );
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return {
    folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** What caught the mutant, in a line. */
async function catchMutant(
  folder: string,
  { file, find, replace, name }: Mutant,
): Promise<string | undefined> {
  const path = join(folder, file);
  const text = await readFile(path, 'utf8');
  if (text.split(find).length !== 2) throw new Error(`${name}: its text does not stand once`);
  await writeFile(
    path,
    text.replace(find, () => replace),
  );
  try {
    const caught = await run(folder, [ORACLES]);
    if (caught !== undefined) return caught.trim().split('\n').at(-1)?.slice(0, 120);
    const failed = await run(folder, ['--test', '--test-reporter=tap', ...TESTS]);
    return failed === undefined ? undefined : `unit test ${firstFailed(failed)}`;
  } finally {
    await writeFile(path, text);
  }
}

/** The output of a run that failed or did not end; undefined where it passed. */
function run(cwd: string, args: readonly string[]): Promise<string | undefined> {
  // A test runner that finds itself in another one's test would not say that tests failed.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const options = { cwd, env, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' } as const;
  return new Promise((resolve) => {
    execFile(process.execPath, [...args], options, (error, output) => {
      if (error === null) resolve(undefined);
      else resolve(output === '' ? 'it does not end, or fails to load' : output);
    });
  });
}

function firstFailed(tap: string): string {
  const names = [...tap.matchAll(/^ *not ok \d+ - (.*)$/gm)].map(([, name]) => name!);
  return names.find((name) => !name.endsWith('.ts')) ?? 'does not load';
}
