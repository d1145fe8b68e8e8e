import assert from 'node:assert/strict';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import type { OnnxTensor } from '#runtime/onnx/onnx-runtime.ts';
import { gradientName, portNames } from './artefact-names.ts';
import type { TrainingGraphs } from './compile-training.ts';
import { randomValues } from './model-fixture.ts';

/** What the gradient graph says and what small changes of the parameters do, side by side. */
export interface GradientCheck {
  /** The largest difference from central differences, relative to the gradient's largest value. */
  readonly differenceError: number;
  /** The same for <J'u, v> against <u, Jv>, with u = d loss / d output and v random. */
  readonly adjointError: number;
  /** The largest value in each parameter's gradient: 0 would check nothing. */
  readonly magnitudes: ReadonlyMap<string, number>;
}

type Doubles = Float64Array<ArrayBuffer>;
type Point = ReadonlyMap<string, Doubles>;

const STEP = 1e-5;

/** Checks a float64 model's gradients at its own parameters and `rows` random examples. */
export async function checkGradients(graphs: TrainingGraphs, rows: number): Promise<GradientCheck> {
  const { manifest } = graphs;
  const feeds = exampleFeeds(graphs, rows);
  await using gradients = await nodeOnnxRuntime.load(graphs.gradients);
  await using evaluate = await nodeOnnxRuntime.load(graphs.evaluate);
  await using predict = await nodeOnnxRuntime.load(graphs.predict);
  const start: Point = new Map(manifest.parameters.map((p) => [p.name, Float64Array.from(p.data)]));
  const at = (point: Point) => ({ ...feeds.inputs, ...parameterFeeds(graphs, point) });
  const lossAt = async (point: Point) =>
    doubles((await evaluate.run({ ...at(point), ...feeds.goal }))[portNames.loss])[0]!;
  const outputAt = async (point: Point) =>
    doubles((await predict.run(at(point)))[manifest.output.name]);

  const found = await gradients.run({ ...at(start), ...feeds.goal });
  const analytic: Point = new Map(
    manifest.parameters.map(({ name, shape }) => {
      const gradient = found[gradientName(name)];
      assert.deepEqual(gradient?.shape, shape, 'a gradient has the shape of its parameter');
      return [name, doubles(gradient)];
    }),
  );
  const numeric = await centralDifferences(start, lossAt);
  const direction: Point = new Map(
    [...start].map(([name, { length }], index) => [
      name,
      Float64Array.from(randomValues(length, 900 + index)),
    ]),
  );
  const above = await outputAt(moved(start, direction, STEP));
  const below = await outputAt(moved(start, direction, -STEP));
  const outputGradient = await lossGradient(await outputAt(start), feeds.goal);
  const forward = above.map((value, i) => (value - below[i]!) / (2 * STEP));
  const left = [...analytic].reduce((sum, [name, g]) => sum + dot(g, direction.get(name)!), 0);
  const right = dot(outputGradient, forward);
  return {
    differenceError: Math.max(...[...analytic].map(([n, g]) => relativeError(g, numeric.get(n)!))),
    adjointError: Math.abs(left - right) / Math.max(Math.abs(left), Math.abs(right), 1e-3),
    magnitudes: new Map([...analytic].map(([name, g]) => [name, largest(g)])),
  };
}

function exampleFeeds({ manifest }: TrainingGraphs, rows: number) {
  const random = (shape: readonly (number | null)[], seed: number): OnnxTensor => {
    const sizes = shape.map((size) => size ?? rows);
    const length = sizes.reduce((product, size) => product * size, 1);
    return { shape: sizes, data: Float64Array.from(randomValues(length, seed)) };
  };
  // Unequal weights: a gradient that forgets them is wrong.
  const total = (rows * (rows + 1)) / 2;
  const weights = Float64Array.from({ length: rows }, (_, row) => (row + 1) / total);
  return {
    inputs: Object.fromEntries(manifest.inputs.map((p, i) => [p.name, random(p.shape, 700 + i)])),
    goal: {
      [portNames.target]: random(manifest.output.shape, 800),
      [portNames.weights]: { shape: [rows], data: weights },
    },
  };
}

function parameterFeeds({ manifest }: TrainingGraphs, point: Point): Record<string, OnnxTensor> {
  return Object.fromEntries(
    manifest.parameters.map(({ name, shape }) => [name, { shape, data: point.get(name)! }]),
  );
}

/** d mse / d output, worked out here and not by the compiler. */
async function lossGradient(output: Doubles, goal: Record<string, OnnxTensor>): Promise<Doubles> {
  const target = doubles(goal[portNames.target]);
  const weights = doubles(goal[portNames.weights]);
  const perRow = output.length / weights.length;
  return output.map(
    (value, i) => (2 * (value - target[i]!) * weights[Math.floor(i / perRow)]!) / perRow,
  );
}

async function centralDifferences(
  start: Point,
  lossAt: (point: Point) => Promise<number>,
): Promise<Point> {
  const differences = new Map<string, Doubles>();
  for (const [name, values] of start) {
    const difference = new Float64Array(values.length);
    for (let i = 0; i < values.length; i++) {
      const unit = new Map([[name, values.map((_, j) => (i === j ? 1 : 0))]]);
      const above = await lossAt(moved(start, unit, STEP));
      const below = await lossAt(moved(start, unit, -STEP));
      difference[i] = (above - below) / (2 * STEP);
    }
    differences.set(name, difference);
  }
  return differences;
}

function moved(start: Point, direction: Point, step: number): Point {
  return new Map(
    [...start].map(([name, values]) => {
      const along = direction.get(name);
      return [name, along === undefined ? values : values.map((v, i) => v + step * along[i]!)];
    }),
  );
}

function relativeError(a: Doubles, b: Doubles): number {
  return largest(a.map((value, i) => value - b[i]!)) / Math.max(largest(b), 1e-3);
}

function largest(values: Doubles): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

function dot(a: Doubles, b: Doubles): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function doubles(tensor: OnnxTensor | undefined): Doubles {
  assert.ok(tensor?.data instanceof Float64Array, 'a float64 model gives float64 outputs');
  return tensor.data as Doubles;
}
