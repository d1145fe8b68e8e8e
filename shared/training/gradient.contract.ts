import assert from 'node:assert/strict';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import type { OnnxTensor } from '#runtime/onnx/onnx-runtime.ts';
import { gradientName, portNames } from './artefact-names.ts';
import type { TrainingGraphs } from './compile-training.ts';
import { dataType } from './model/onnx-proto.ts';
import { type FloatType, isFloatType } from './model/onnx-tensor.ts';
import { randomValues } from './model-fixture.ts';

/** What the gradient graph says and what small changes of the parameters do, side by side. */
export interface GradientCheck {
  /** The largest difference from central differences, relative to the gradient's largest value. */
  readonly differenceError: number;
  /**
   * The same for <J'u, v> against <u, Jv>, with u = d loss / d output and v random; for a model in
   * training mode, of whose outputs then there is no graph, against the loss along v.
   */
  readonly adjointError: number;
  /** The largest value in each parameter's gradient: 0 would check nothing. */
  readonly magnitudes: ReadonlyMap<string, number>;
}

type Doubles = Float64Array<ArrayBuffer>;
type Point = ReadonlyMap<string, Doubles>;

/** Where rounding and the curve's own bend spoil a central difference about equally little. */
const steps = { [dataType.float64]: 1e-5, [dataType.float32]: 2 ** -7 } as const;

/**
 * Checks a model's gradients at its own parameters and `rows` random examples. In float64 errors
 * of 1e-7 show; a model of operators that the runtime has in float32 only is as good as 2e-3, or
 * better with a longer step where its outputs are linear in each parameter.
 */
export async function checkGradients(
  graphs: TrainingGraphs,
  rows: number,
  step: number = steps[floatTypeOf(graphs)],
): Promise<GradientCheck> {
  const { manifest } = graphs;
  const feeds = exampleFeeds(graphs, rows);
  await using gradients = await nodeOnnxRuntime.load(graphs.gradients);
  await using evaluate = await nodeOnnxRuntime.load(graphs.evaluate);
  await using predict = await nodeOnnxRuntime.load(graphs.predict);
  const start: Point = new Map(manifest.parameters.map((p) => [p.name, Float64Array.from(p.data)]));
  const at = (point: Point) => ({ ...feeds.inputs, ...parameterFeeds(graphs, point) });
  // Outside training batch normalisation goes by other statistics.
  const isMixed = manifest.statistics.length > 0;
  const measure = isMixed ? gradients : evaluate;
  const lossAt = async (point: Point) =>
    doubles((await measure.run({ ...at(point), ...feeds.goal }))[portNames.loss])[0]!;
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
  const numeric = await centralDifferences(start, { lossAt, step });
  const direction: Point = new Map(
    [...start].map(([name, { length }], index) => [
      name,
      Float64Array.from(randomValues(length, 900 + index)),
    ]),
  );
  const along = async (valuesAt: (point: Point) => Promise<Doubles>): Promise<Doubles> => {
    const above = await valuesAt(moved(start, direction, step));
    const below = await valuesAt(moved(start, direction, -step));
    return above.map((value, i) => (value - below[i]!) / (2 * step));
  };
  const left = [...analytic].reduce((sum, [name, g]) => sum + dot(g, direction.get(name)!), 0);
  const right = isMixed
    ? (await along(async (point) => Float64Array.of(await lossAt(point))))[0]!
    : dot(await lossGradient(await outputAt(start), feeds.goal), await along(outputAt));
  return {
    differenceError: Math.max(...[...analytic].map(([n, g]) => relativeError(g, numeric.get(n)!))),
    adjointError: Math.abs(left - right) / Math.max(Math.abs(left), Math.abs(right), 1e-3),
    magnitudes: new Map([...analytic].map(([name, g]) => [name, largest(g)])),
  };
}

function floatTypeOf({ manifest }: TrainingGraphs): FloatType {
  const { type } = manifest.output;
  assert.ok(isFloatType(type), 'the trained output is of a float type');
  return type;
}

function floats(values: ArrayLike<number>, type: FloatType): OnnxTensor['data'] {
  return type === dataType.float64 ? Float64Array.from(values) : Float32Array.from(values);
}

function exampleFeeds(graphs: TrainingGraphs, rows: number) {
  const { manifest } = graphs;
  const type = floatTypeOf(graphs);
  const random = (shape: readonly (number | null)[], seed: number): OnnxTensor => {
    const sizes = shape.map((size) => size ?? rows);
    const length = sizes.reduce((product, size) => product * size, 1);
    return { shape: sizes, data: floats(randomValues(length, seed), type) };
  };
  // Unequal weights: a gradient that forgets them is wrong.
  const total = (rows * (rows + 1)) / 2;
  const weights = Float64Array.from({ length: rows }, (_, row) => (row + 1) / total);
  return {
    inputs: Object.fromEntries(manifest.inputs.map((p, i) => [p.name, random(p.shape, 700 + i)])),
    goal: {
      [portNames.target]: random(manifest.output.shape, 800),
      [portNames.weights]: { shape: [rows], data: floats(weights, type) },
    },
  };
}

function parameterFeeds(graphs: TrainingGraphs, point: Point): Record<string, OnnxTensor> {
  const type = floatTypeOf(graphs);
  return Object.fromEntries(
    graphs.manifest.parameters.map(({ name, shape }) => [
      name,
      { shape, data: floats(point.get(name)!, type) },
    ]),
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
  { lossAt, step }: { lossAt: (point: Point) => Promise<number>; step: number },
): Promise<Point> {
  const differences = new Map<string, Doubles>();
  for (const [name, values] of start) {
    const difference = new Float64Array(values.length);
    for (let i = 0; i < values.length; i++) {
      const unit = new Map([[name, values.map((_, j) => (i === j ? 1 : 0))]]);
      const above = await lossAt(moved(start, unit, step));
      const below = await lossAt(moved(start, unit, -step));
      difference[i] = (above - below) / (2 * step);
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
  const data = tensor?.data;
  assert.ok(data instanceof Float64Array || data instanceof Float32Array, 'outputs are floats');
  return Float64Array.from(data);
}
