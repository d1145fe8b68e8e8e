/** Checks what a short trial wrote by `--json FILE`: `trial-report-check.ts FILE`. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const DEVICES_MIN = 5;
const ROUNDS_MIN = 5;
const AUC_MIN = 0.97;
const NODES = 4;
/** Of the samples, those that are sent. */
const FACTOR_MIN = 5;

const count = z.int().nonnegative();

const reportSchema = z.object({
  devices: z
    .array(
      z.object({
        id: z.string(),
        produced: count.positive(),
        committed: count.positive(),
        missing: z.literal(0),
        duplicated: z.literal(0),
      }),
    )
    .min(DEVICES_MIN),
  rounds: z
    .array(
      z.object({
        round: count,
        loss: z.number(),
        participants: z.array(z.string()).min(1),
        modelDigest: z.string().min(1),
      }),
    )
    .min(ROUNDS_MIN)
    .refine((rounds) => (rounds.at(-1)?.loss ?? 0) < (rounds[0]?.loss ?? 0), {
      error: 'the last loss is not below the first',
    }),
  anomaly: z
    .array(z.object({ device: z.string(), auc: z.number().min(AUC_MIN) }))
    .length(2, { error: 'not both motes with events have a score' }),
  prediction: z
    .array(
      z
        .object({
          device: z.string(),
          property: z.string(),
          tolerance: z.number().positive(),
          worstError: z.number(),
          samples: count.positive(),
          reports: count.positive(),
          factor: z.number().min(FACTOR_MIN),
        })
        .refine(({ worstError, tolerance }) => worstError <= tolerance, {
          error: 'a twin was off by more than its tolerance',
        }),
    )
    .length(4, { error: 'not every property that is sent in part is accounted for' }),
  ledger: z.object({
    height: count.positive(),
    verified: z.literal(true),
    nodes: z
      .array(z.object({ height: count.positive(), verified: z.literal(true) }))
      .length(NODES, { error: 'not every edge node has a ledger' })
      .refine((nodes) => spread(nodes.map(({ height }) => height)) <= 1, {
        error: 'the ledgers are more than a block apart',
      }),
  }),
  seconds: z.object({ install: z.number(), toFirstTwin: z.number() }),
});

function spread(heights: readonly number[]): number {
  return Math.max(...heights) - Math.min(...heights);
}

/** What is wrong with a report, a sentence each; none where the trial did what it must. */
export function reportProblems(report: unknown): string[] {
  const parsed = reportSchema.safeParse(report);
  if (parsed.success) return [];
  return parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

if (import.meta.main) {
  const file = process.argv[2] ?? '';
  const problems = reportProblems(JSON.parse(readFileSync(file, 'utf8')));
  for (const problem of problems) console.error(`${file}: ${problem}`);
  process.exitCode = problems.length === 0 ? 0 : 1;
  if (problems.length === 0) console.log('The trial lost nothing, learned, and its ledger holds.');
}
