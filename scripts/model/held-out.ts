import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import type { LossName } from '#shared/training/losses.ts';
import { shapeSize } from '#shared/training/model/onnx-tensor.ts';
import { scaleForTraining } from '#shared/training/standardise-model.ts';
import { type Examples, exampleInputs, exampleTargets } from './examples.ts';
import { unwrap } from './model-file.ts';
import type { Layout } from './prepare-training.ts';
import { measures, type Scores } from './scores.ts';

/** How models and simple rules do on examples nobody trained on. */
export interface Comparison {
  /** What decides. */
  readonly metric: string;
  /** By who predicts. */
  readonly heldOut: Readonly<Record<string, Scores>>;
  /** Absent where the target's value before is not known. */
  readonly beatsPersistence?: boolean;
}

interface HeldOutTask {
  readonly file: string;
  readonly loss: LossName;
  readonly examples: Examples;
  readonly split: { readonly training: Int32Array; readonly heldOut: Int32Array };
  readonly layout: Layout;
}

/**
 * Scores the model before and after, the best constant of the training part, and, for a forecast,
 * persistence: the target stays as it was at the last reading that goes in.
 */
export async function compareOnHeldOut(
  models: { readonly before: Uint8Array; readonly after: Uint8Array },
  task: HeldOutTask,
): Promise<Comparison> {
  const { loss, examples, split } = task;
  const measure = measures[loss];
  const targets = exampleTargets(examples, split.heldOut);
  const rule = (values: Float64Array, classes: number): Scores =>
    measure.score(asPredictions(values, { loss, classes }), targets);
  const before = await predict(models.before, task);
  const after = await predict(models.after, task);
  const classes = after.length / targets.length;
  const typical = typicalTargets(examples, split.training, loss);
  const heldOut: Record<string, Scores> = {
    before: measure.score(before, targets),
    after: measure.score(after, targets),
    constant: rule(
      targets.map((_, index) => typical[index % typical.length]!),
      classes,
    ),
  };
  const metric = measure.main;
  if (examples.spec.horizon === 0) return { metric, heldOut };
  const persistence = rule(exampleTargets(examples, split.heldOut, 0), classes);
  const lead = heldOut.after![metric]! - persistence[metric]!;
  return {
    metric,
    heldOut: { ...heldOut, persistence },
    beatsPersistence: measure.isMoreBetter ? lead > 0 : lead < 0,
  };
}

export function printComparison({ metric, heldOut, beatsPersistence }: Comparison): void {
  const metrics = Object.keys(heldOut.after!);
  console.log(`held out      ${metrics.map((name) => name.padStart(10)).join('')}`);
  for (const [who, scores] of Object.entries(heldOut)) {
    const cells = metrics.map((name) => scores[name]!.toPrecision(4).padStart(10));
    console.log(`  ${who.padEnd(12)}${cells.join('')}`);
  }
  if (beatsPersistence === undefined) return;
  const [after, persistence] = [heldOut.after![metric]!, heldOut.persistence![metric]!];
  const verdict = beatsPersistence ? 'beats persistence' : 'does not beat persistence';
  console.log(
    `${verdict}: held-out ${metric} ${after.toPrecision(4)} against ${persistence.toPrecision(4)}`,
  );
}

const ROWS_PER_RUN = 1024;

async function predict(model: Uint8Array, task: HeldOutTask): Promise<Float32Array> {
  const { file, examples, split, layout } = task;
  const inputShape = [null, ...layout.dimensions];
  const inputs = exampleInputs(examples, split.heldOut, layout.kind);
  const size = shapeSize(layout.dimensions);
  await using session = await nodeOnnxRuntime.load(
    unwrap(scaleForTraining(model, { inputShape }), file),
  );
  const parts: number[] = [];
  for (let row = 0; row < split.heldOut.length; row += ROWS_PER_RUN) {
    const rows = Math.min(ROWS_PER_RUN, split.heldOut.length - row);
    const data = inputs.subarray(row * size, (row + rows) * size);
    const shape = [rows, ...layout.dimensions];
    const results = await session.run({ [session.inputNames[0]!]: { shape, data } });
    for (const value of results[session.outputNames[0]!]!.data) parts.push(Number(value));
  }
  return Float32Array.from(parts);
}

/** The mean of each target, or the commonest class. */
function typicalTargets(examples: Examples, training: Int32Array, loss: LossName): number[] {
  const targets = exampleTargets(examples, training);
  if (loss === 'cross-entropy') {
    const counts = new Map<number, number>();
    for (const id of targets) counts.set(id, (counts.get(id) ?? 0) + 1);
    return [[...counts].reduce((best, next) => (next[1] > best[1] ? next : best))[0]];
  }
  const width = examples.spec.targets.length;
  return Array.from({ length: width }, (_, column) => {
    const values = targets.filter((_value, index) => index % width === column);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  });
}

/** Target values in the form a model would predict them in. */
function asPredictions(
  values: Float64Array,
  { loss, classes }: { loss: LossName; classes: number },
): Float64Array {
  if (loss === 'binary-cross-entropy') return values.map((value) => value - 0.5);
  if (loss !== 'cross-entropy') return values;
  const scores = new Float64Array(values.length * classes);
  values.forEach((id, row) => {
    scores[row * classes + id] = 1;
  });
  return scores;
}
