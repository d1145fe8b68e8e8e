import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import type { OnnxTensor } from '#runtime/onnx/onnx-runtime.ts';
import { createGraphBuilder } from './graph-builder.ts';
import { builtModel } from './graph-fixture.ts';
import { addLoss, type LossOptions, targetPort } from './losses.ts';
import { dataType } from './model/onnx-proto.ts';
import type { FloatType } from './model/onnx-tensor.ts';
import { randomValues } from './model-fixture.ts';

interface Example {
  /** [B, ...dimensions] */
  readonly shape: readonly number[];
  readonly prediction: readonly number[];
  readonly target: readonly number[];
  readonly weights: readonly number[];
}

/** Made by scripts/goldens/losses-and-optimisers.py. */
const golden = JSON.parse(
  readFileSync(new URL('./goldens/losses-and-optimisers.json', import.meta.url), 'utf8'),
) as {
  readonly losses: readonly (readonly [
    LossOptions,
    Omit<Example, 'weights'> & { readonly loss: number; readonly gradient: readonly number[] },
  ])[];
};

interface Values {
  readonly loss: number;
  readonly metric: number;
  readonly gradient: readonly number[];
}

/** What the graph calculates. */
async function run(options: LossOptions, example: Example, type: FloatType): Promise<Values> {
  const { shape, prediction, target, weights } = example;
  const graph = createGraphBuilder(type);
  const free = [null, ...shape.slice(1)];
  const wanted = targetPort(options, { name: 'prediction', type, shape: free });
  assert.ok(wanted.ok);
  const values = addLoss(graph, options, {
    prediction: 'prediction',
    target: wanted.value.name,
    weights: 'weights',
    dimensions: shape.slice(1),
  });
  const model = builtModel(graph, {
    inputs: [
      { name: 'prediction', type, shape: free },
      wanted.value,
      { name: 'weights', type, shape: [null] },
    ],
    outputs: [
      { name: values.loss, type, shape: [] },
      { name: values.metric, type, shape: [] },
      { name: values.gradient, type, shape: free },
    ],
  });
  await using session = await nodeOnnxRuntime.load(model);
  const float = (sizes: readonly number[], data: readonly number[]): OnnxTensor => ({
    shape: sizes,
    data: type === dataType.float64 ? Float64Array.from(data) : Float32Array.from(data),
  });
  const sizes = wanted.value.shape.map((size) => size ?? shape[0]!);
  const outputs = await session.run({
    prediction: float(shape, prediction),
    [wanted.value.name]:
      wanted.value.type === dataType.int64
        ? { shape: sizes, data: BigInt64Array.from(target, BigInt) }
        : float(sizes, target),
    weights: float([shape[0]!], weights),
  });
  const [loss, metric, gradient] = [values.loss, values.metric, values.gradient].map((name) =>
    Array.from(outputs[name]!.data, Number),
  );
  assert.deepEqual(outputs[values.gradient]!.shape, shape);
  return { loss: loss![0]!, metric: metric![0]!, gradient: gradient! };
}

/** The loss of one value, and what it adds to the metric. */
type Pointwise = (x: number, t: number) => readonly [loss: number, metric: number];

const pointwise: Readonly<Record<string, Pointwise>> = {
  mse: (x, t) => [(x - t) ** 2, Math.abs(x - t)],
  huber: (x, t) => [
    Math.abs(x - t) <= 0.5 ? (x - t) ** 2 / 2 : 0.5 * (Math.abs(x - t) - 0.25),
    Math.abs(x - t),
  ],
  'binary-cross-entropy': (x, t) => [
    // log s(x) = -log1p(exp(-x)), either way round so that exp stays small.
    t * softplus(-x) + (1 - t) * softplus(x),
    Number(x > 0 === t > 0.5),
  ],
};

function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** The same worked out value by value in double precision, the gradient by small differences. */
function reference(options: LossOptions, example: Example): Values {
  const { prediction } = example;
  const at = (i: number, by: number) =>
    lossAndMetric(options, { ...example, prediction: prediction.with(i, prediction[i]! + by) })[0];
  const step = 1e-6;
  const [loss, metric] = lossAndMetric(options, example);
  const gradient = prediction.map((_, i) => (at(i, step) - at(i, -step)) / (2 * step));
  return { loss, metric, gradient };
}

function lossAndMetric(options: LossOptions, example: Example): readonly [number, number] {
  const { shape, prediction, target, weights } = example;
  const perRow = prediction.length / weights.length;
  const each = pointwise[options.kind];
  let [loss, metric] = [0, 0];
  if (each !== undefined) {
    prediction.forEach((x, i) => {
      const [itsLoss, itsMetric] = each(x, target[i]!);
      const weight = weights[Math.floor(i / perRow)]! / perRow;
      loss += weight * itsLoss;
      metric += weight * itsMetric;
    });
    return [loss, metric];
  }
  const classes = shape[1]!;
  const places = perRow / classes;
  for (let row = 0; row < weights.length; row++) {
    for (let place = 0; place < places; place++) {
      const index = (c: number) => (row * classes + c) * places + place;
      const logits = Array.from({ length: classes }, (_, c) => prediction[index(c)]!);
      const most = Math.max(...logits);
      const logSum = most + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - most), 0));
      const ofClass = (c: number) =>
        'target' in options && options.target === 'probabilities'
          ? target[index(c)]!
          : Number(target[row * places + place] === c);
      const truth = logits.map((_, c) => ofClass(c));
      const weight = weights[row]! / places;
      loss -= weight * logits.reduce((sum, x, c) => sum + truth[c]! * (x - logSum), 0);
      const isRight = logits.indexOf(most) === truth.indexOf(Math.max(...truth));
      metric += weight * Number(isRight);
    }
  }
  return [loss, metric];
}

const size = (shape: readonly number[]) => shape.reduce((product, each) => product * each, 1);
const logits = (shape: readonly number[]) => [...randomValues(size(shape), 1)].map((x) => 3 * x);
const shares = (shape: readonly number[]) => [...randomValues(size(shape), 2)].map(Math.abs);
const weights = (rows: number) => {
  const raw = Array.from({ length: rows }, (_, row) => (row === 2 ? 0 : row + 1));
  const total = raw.reduce((sum, each) => sum + each, 0);
  return raw.map((each) => each / total);
};

const cases: readonly (readonly [string, LossOptions, readonly number[]])[] = [
  ['mse', { kind: 'mse' }, [5, 3, 2]],
  ['mse of one value a row', { kind: 'mse' }, [5]],
  ['huber', { kind: 'huber', delta: 0.5 }, [5, 4]],
  ['binary cross-entropy', { kind: 'binary-cross-entropy' }, [5, 3]],
  ['binary cross-entropy of one value a row', { kind: 'binary-cross-entropy' }, [5]],
  ['cross-entropy', { kind: 'cross-entropy' }, [5, 4]],
  ['cross-entropy of a sequence', { kind: 'cross-entropy' }, [5, 4, 3]],
  ['cross-entropy of an image', { kind: 'cross-entropy' }, [5, 3, 2, 4]],
  ['cross-entropy of shares', { kind: 'cross-entropy', target: 'probabilities' }, [5, 4]],
  ['of a sequence of shares', { kind: 'cross-entropy', target: 'probabilities' }, [5, 4, 3]],
];

function exampleOf(options: LossOptions, shape: readonly number[]): Example {
  const [rows, classes, ...others] = shape as [number, number, ...number[]];
  const isIds = options.kind === 'cross-entropy' && options.target === undefined;
  const target = isIds
    ? Array.from({ length: rows * size(others) }, (_, i) => (i * 7) % classes)
    : shares(shape);
  return { shape, prediction: logits(shape), target, weights: weights(rows) };
}

describe('a loss', () => {
  for (const [title, options, shape] of cases) {
    for (const [name, type, tolerance] of [
      ['float32', dataType.float32, 2e-6],
      ['float64', dataType.float64, 1e-9],
    ] as const) {
      it(`is what it should be, with slope and metric: ${title}, ${name}`, async () => {
        const example = exampleOf(options, shape);
        const expected = reference(options, example);
        const found = await run(options, example, type);
        assert.ok(Math.abs(found.loss - expected.loss) < tolerance * 4, `${found.loss}`);
        assert.ok(Math.abs(found.metric - expected.metric) < tolerance, `${found.metric}`);
        found.gradient.forEach((value, i) => {
          assert.ok(Math.abs(value - expected.gradient[i]!) < tolerance, `gradient ${i}: ${value}`);
        });
        assert.ok(found.gradient.some((value) => Math.abs(value) > 1e-2));
      });
    }
  }

  for (const [options, expected] of golden.losses) {
    const { shape } = expected;
    it(`gives PyTorch's loss and slope: ${JSON.stringify(options)} of [${shape}]`, async () => {
      const even = new Array<number>(shape[0]!).fill(1 / shape[0]!);
      const found = await run(options, { ...expected, weights: even }, dataType.float32);
      assert.ok(Math.abs(found.loss / expected.loss - 1) < 1e-6);
      const largest = Math.max(...expected.gradient.map(Math.abs));
      found.gradient.forEach((value, i) => {
        assert.ok(Math.abs(value - expected.gradient[i]!) / largest < 1e-6, `gradient ${i}`);
      });
    });
  }

  it('does not see what has no weight', async () => {
    for (const [title, options, shape] of cases) {
      const example = exampleOf(options, shape);
      const perRow = example.prediction.length / shape[0]!;
      const other = example.prediction.map((x, i) => (Math.floor(i / perRow) === 2 ? -9 * x : x));
      const [a, b] = await Promise.all([
        run(options, example, dataType.float32),
        run(options, { ...example, prediction: other }, dataType.float32),
      ]);
      assert.deepEqual([a.loss, a.metric], [b.loss, b.metric], title);
      assert.ok(a.gradient.slice(2 * perRow, 3 * perRow).every((value) => value === 0));
    }
  });

  it('keeps its digits with logits far from 0', async () => {
    const single = { shape: [1, 3], weights: [1] };
    const far = { ...single, prediction: [1e4, -1e4, 0] };
    const ids = await run({ kind: 'cross-entropy' }, { ...far, target: [1] }, dataType.float32);
    assert.deepEqual(ids, { loss: 2e4, metric: 0, gradient: [1, -1, 0] });
    const options = { kind: 'cross-entropy', target: 'probabilities' } as const;
    const certain = await run(options, { ...far, target: [1, 0, 0] }, dataType.float32);
    assert.deepEqual(certain.gradient, [0, 0, 0]);
    assert.ok(certain.loss === 0);
    const binary = await run(
      { kind: 'binary-cross-entropy' },
      { ...single, prediction: [20, -20, -200], target: [1, 0, 1] },
      dataType.float32,
    );
    assert.ok(Math.abs(binary.loss - 200 / 3) < 1e-4);
    const small = await run(
      { kind: 'binary-cross-entropy' },
      { ...single, prediction: [20, -20, 20], target: [1, 0, 1] },
      dataType.float32,
    );
    assert.ok(Math.abs(small.loss / 2.0611536e-9 - 1) < 1e-5, `${small.loss}`);
  });

  it('of classes needs an axis of classes', () => {
    const output = { name: 'y', type: dataType.float32, shape: [null] };
    const refused = targetPort({ kind: 'cross-entropy' }, output);
    assert.ok(!refused.ok && refused.error.code === 'output-unsupported');
    assert.match(refused.error.message, /output y has no axis of classes/);
    const wanted = targetPort({ kind: 'cross-entropy' }, { ...output, shape: [null, 4, 6] });
    assert.ok(wanted.ok);
    assert.deepEqual([wanted.value.type, wanted.value.shape], [dataType.int64, [null, 6]]);
  });
});
