/**
 * Checks the project: types, Biome, tidy, knip, and the tests (with `--all` the slow ones too).
 * One line a step, all that a failing step wrote; exit code 1 where one failed.
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';

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

function testStep(all: boolean): Step {
  const files = globSync('{shared,runtime,device-agent,edge-node,scripts}/**/*.test.ts', {
    cwd: ROOT,
    exclude: ['**/node_modules/**', ...(all ? [] : ['**/*.slow.test.ts'])],
  });
  const options = [
    '--test-reporter=spec',
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    `--test-concurrency=${availableParallelism()}`,
  ];
  return { name: 'tests', command: ['node', '--test', ...options, ...files.sort()], live: all };
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
const tests = await check(testStep(all));
for (const line of closingLines(tests.output)) console.log(line);
process.exitCode = [...outcomes, tests].every(({ passed }) => passed) ? 0 : 1;
