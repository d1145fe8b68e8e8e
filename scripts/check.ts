/**
 * Checks the project: types, Biome, tidy, knip, and tests: the quick ones that what is not
 * committed can reach (all quick ones where nothing is), or with `--all` every test. One line a
 * step, all that a failing step wrote; exit code 1 where one failed.
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { reachedTests } from './tidy/reached-tests.ts';
import { readProject, uncommittedFiles } from './tidy/read-project.ts';

const ROOT = join(import.meta.dirname, '..');
const BINARIES = join(ROOT, 'node_modules/.bin');
const TEST_TIMEOUT_MS = 300_000;

interface Step {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** Whether its output shows as it comes: for a step that takes minutes. */
  readonly live: boolean;
}

interface Outcome {
  readonly passed: boolean;
  readonly output: string;
}

const STATIC_STEPS: readonly Step[] = [
  { name: 'types', command: ['tsc', '-p', '.'], live: false },
  { name: 'biome', command: ['biome', 'ci', '--colors=off', '.'], live: false },
  { name: 'tidy', command: ['node', 'scripts/tidy.ts'], live: false },
  { name: 'knip', command: ['knip', '--no-progress'], live: false },
];

function testFiles(all: boolean): string[] {
  const files = globSync('{shared,runtime,device-agent,edge-node,scripts}/**/*.test.ts', {
    cwd: ROOT,
    exclude: ['**/node_modules/**', ...(all ? [] : ['**/*.slow.test.ts'])],
  }).sort();
  const changed = all ? [] : uncommittedFiles(ROOT);
  if (changed.length === 0 || changed.some(concernsAll)) return files;
  const reached = new Set(reachedTests(readProject(ROOT).sources, changed));
  return files.filter((path) => reached.has(path));
}

/** Settings, dependencies. */
function concernsAll(path: string): boolean {
  return !path.includes('/') && !path.endsWith('.md');
}

function testStep(files: readonly string[], all: boolean): Step {
  const options = [
    '--test-reporter=spec',
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    `--test-concurrency=${availableParallelism()}`,
  ];
  return { name: 'tests', command: ['node', '--test', ...options, ...files], live: all };
}

async function check(step: Step): Promise<Outcome> {
  const startMs = performance.now();
  const outcome = await run(step);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${outcome.passed ? 'ok    ' : 'FAILED'} ${step.name.padEnd(6)} ${seconds} s`);
  if (!outcome.passed && !step.live) console.log(outcome.output);
  return outcome;
}

function run({ command: [program, ...args], live }: Step): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      env: { ...process.env, PATH: `${BINARIES}${delimiter}${process.env.PATH}`, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (live) process.stdout.write(text);
      });
    }
    child.on('error', (error) => resolve({ passed: false, output: error.message }));
    child.on('close', (code) => resolve({ passed: code === 0, output }));
  });
}

/** The test runner's totals, as `# tests 12`. */
function closingLines(output: string): string[] {
  const totals = /^ℹ (?=(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) )/;
  return output
    .split('\n')
    .filter((line) => totals.test(line))
    .map((line) => line.replace(totals, '# '));
}

const all = process.argv.includes('--all');
const outcomes = await Promise.all(STATIC_STEPS.map(check));
const files = testFiles(all);
if (files.length === 0) console.log('ok     tests  none that the change can reach');
else outcomes.push(await check(testStep(files, all)));
for (const line of closingLines(outcomes.at(-1)!.output)) console.log(line);
process.exitCode = outcomes.every(({ passed }) => passed) ? 0 : 1;
