import assert from 'node:assert/strict';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import type { OnnxTensor } from '#runtime/onnx/onnx-runtime.ts';
import { seededRandom, shuffledIndices } from '../../basics/seeded-random.ts';
import { gradientName, portNames } from '../artefact-names.ts';
import { compileTraining, type TrainingGraphs } from '../compile-training.ts';
import { dataType } from '../model/onnx-proto.ts';
import { shapeSize } from '../model/onnx-tensor.ts';
import { randomValues } from '../model-fixture.ts';
import { ROWS } from './graph-draft.ts';
import { OUTPUTS, type RandomGraph, randomGraph } from './random-graph.ts';

interface GraphCheck {
  /** Elements of parameters whose gradient agreed. */
  readonly agreed: number;
  /** Elements where the loss has a kink, or bends too much for differences to tell. */
  readonly skipped: number;
  /** Where the gradient was not what small changes of the parameter say. */
  readonly disagreements: readonly string[];
}

export interface GraphsCheck {
  readonly agreed: number;
  readonly skipped: number;
  /** How often each operator was in a graph. */
  readonly operators: ReadonlyMap<string, number>;
}

/**
 * Checks `count` random graphs, from a seed on. One of which every element is skipped does not
 * count. Throws at the first disagreement, and says the seed.
 */
export async function checkRandomGraphs(firstSeed: number, count: number): Promise<GraphsCheck> {
  const operators = new Map<string, number>();
  const total = { agreed: 0, skipped: 0 };
  let counted = 0;
  for (let seed = firstSeed; counted < count; seed++) {
    const graph = randomGraph(seed);
    const what = `random graph of seed ${seed}, opset ${graph.opset}: ${graph.operators.join(' ')}`;
    let check: GraphCheck;
    try {
      check = await checkRandomGraph(graph);
    } catch (cause) {
      throw new Error(`${what} failed`, { cause });
    }
    assert.deepEqual(check.disagreements, [], what);
    total.agreed += check.agreed;
    total.skipped += check.skipped;
    if (check.agreed === 0) continue;
    counted++;
    for (const name of graph.operators) operators.set(name, (operators.get(name) ?? 0) + 1);
  }
  return { ...total, operators };
}

/** Elements tried of each parameter, at most. */
const TRIED = 6;

/**
 * The step of the differences; how far a gradient may be from them, relative to its parameter's
 * largest slope; and what rounding makes of differences, relative to the loss.
 */
const precisions = {
  [dataType.float64]: { step: 1e-4, tolerance: 1e-6, noise: 1e-10 },
  [dataType.float32]: { step: 2 ** -6, tolerance: 5e-3, noise: 1e-4 },
} as const;

/**
 * Compares some of the gradients of a random graph with differences of its loss; the gradients with
 * the runtime's graph optimisation, the loss without.
 */
async function checkRandomGraph(graph: RandomGraph): Promise<GraphCheck> {
  const { gradients, evaluate, manifest } = compiled(graph);
  const trained = manifest.parameters.map(({ name }) => name);
  assert.deepEqual(trained, graph.parameters, 'every parameter has a gradient');
  const given = feeds(graph);
  const start = Object.fromEntries(
    manifest.parameters.map(({ name, shape, data }) => [name, tensor(graph, shape, data)]),
  );
  await using gradientSession = await nodeOnnxRuntime.load(gradients);
  await using lossSession = await nodeOnnxRuntime.load(evaluate, { graphOptimisation: 'off' });
  const found = await gradientSession.run({ ...start, ...given });
  const lossAt: LossAt = async (name, index, by) => {
    const { shape, data } = start[name]!;
    const moved = Array.from(data, Number);
    moved[index]! += by;
    const point = { ...start, [name]: tensor(graph, shape, moved) };
    return Number((await lossSession.run({ ...point, ...given }))[portNames.loss]!.data[0]);
  };
  const checks: GraphCheck[] = [];
  const random = seededRandom(graph.seed);
  for (const { name, shape, data } of manifest.parameters) {
    const gradient = found[gradientName(name)]!;
    assert.deepEqual(gradient.shape, shape, `the gradient of ${name} has its shape`);
    const places = [...shuffledIndices(data.length, random)].slice(0, TRIED);
    const slopes: Slope[] = [];
    for (const index of places) {
      const analytic = Number(gradient.data[index]);
      const by = (step: number) => lossAt(name, index, step);
      slopes.push({ place: `${name}[${index}]`, analytic, ...(await differences(graph, by)) });
    }
    checks.push(judge(graph, slopes));
  }
  return {
    agreed: checks.reduce((sum, check) => sum + check.agreed, 0),
    skipped: checks.reduce((sum, check) => sum + check.skipped, 0),
    disagreements: checks.flatMap((check) => check.disagreements),
  };
}

type LossAt = (name: string, index: number, by: number) => Promise<number>;

interface Differences {
  readonly loss: number;
  readonly numeric: number;
  /** How much `numeric` depends on the step: 0 where the loss is smooth, or nearly. */
  readonly doubt: number;
}

interface Slope extends Differences {
  readonly place: string;
  readonly analytic: number;
}

/**
 * The slope by central differences of two steps, extrapolated (Richardson 1911). A kink shows in
 * two ways: in slopes that differ from step to step, and in second differences that do not shrink
 * as the steps do.
 */
async function differences(
  { type }: RandomGraph,
  lossAt: (by: number) => Promise<number>,
): Promise<Differences> {
  const { step } = precisions[type];
  const loss = await lossAt(0);
  const [far, near] = [
    [await lossAt(step), await lossAt(-step)],
    [await lossAt(step / 2), await lossAt(-step / 2)],
  ] as const;
  const slopes = [(far[0] - far[1]) / (2 * step), (near[0] - near[1]) / step] as const;
  const bends = [(far[0] + far[1] - 2 * loss) / step, (near[0] + near[1] - 2 * loss) / (step / 2)];
  return {
    loss,
    numeric: (4 * slopes[1] - slopes[0]) / 3,
    doubt: Math.abs(slopes[0] - slopes[1]) + Math.abs(bends[0]! - 2 * bends[1]!),
  };
}

function judge({ type }: RandomGraph, slopes: readonly Slope[]): GraphCheck {
  const { tolerance, noise } = precisions[type];
  const largest = Math.max(...slopes.map(({ numeric }) => Math.abs(numeric)));
  const check = { agreed: 0, skipped: 0, disagreements: [] as string[] };
  for (const { place, analytic, numeric, loss, doubt } of slopes) {
    const allowed = tolerance * largest + noise * Math.abs(loss);
    if (!(doubt < allowed)) check.skipped++;
    else if (Math.abs(analytic - numeric) < allowed) check.agreed++;
    else check.disagreements.push(`${place} is ${analytic}, and by differences ${numeric}`);
  }
  return check;
}

function compiled({ model, shapes, frozen }: RandomGraph): TrainingGraphs {
  const graphs = compileTraining(model, {
    loss: 'mse',
    optimiser: { kind: 'sgd' },
    shapes,
    frozen: [...frozen],
  });
  assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
  return graphs.value;
}

function feeds(graph: RandomGraph): Record<string, OnnxTensor> {
  const random = (shape: readonly number[], seed: number) =>
    tensor(graph, shape, randomValues(shapeSize(shape), seed));
  return {
    x: random(graph.inputShape, graph.seed + 1),
    [portNames.target]: random([ROWS, OUTPUTS], graph.seed + 2),
    // Unequal weights: a gradient that forgets them is wrong.
    [portNames.weights]: tensor(graph, [ROWS], [0.5, 0.3, 0.2]),
  };
}

function tensor(
  { type }: RandomGraph,
  shape: readonly number[],
  values: ArrayLike<number>,
): OnnxTensor {
  const data = type === dataType.float64 ? Float64Array.from(values) : Float32Array.from(values);
  return { shape, data };
}
