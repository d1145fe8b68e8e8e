import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sha256 } from '@noble/hashes/sha2.js';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import type { OnnxTensors } from '#runtime/onnx/onnx-runtime.ts';
import { bytesToHex } from '../basics/bytes.ts';
import { encodeTensors, type NamedTensor } from '../codec/tensor.ts';
import {
  anchorName,
  correctionName,
  gradientName,
  nextName,
  noiseName,
  portNames,
} from './artefact-names.ts';
import { compileTraining, type TrainingGraphs } from './compile-training.ts';
import type { TrainingOptions } from './differentiate.ts';
import type { LossOptions } from './losses.ts';
import {
  batchFeeds,
  feedsOf,
  floatsOf,
  initialState,
  type Minibatches,
  randomMinibatches,
  trainByEpoch,
  trainBySteps,
} from './minibatch.fixture.ts';
import { createMlpModel } from './mlp-model.ts';
import { randomValues } from './model-fixture.ts';
import { type OptimiserOptions, optimiserNames } from './optimisers.ts';

const mlp = createMlpModel({ inputs: 4, hidden: [6, 5], outputs: 3, seed: 3 });
const sgd: OptimiserOptions = { kind: 'sgd' };

function compiled(options: Partial<TrainingOptions>): TrainingGraphs {
  const graphs = compileTraining(mlp, { loss: 'mse', optimiser: sgd, ...options });
  assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
  return graphs.value;
}

function digest(tensors: readonly NamedTensor[]): string {
  return bytesToHex(sha256(encodeTensors(tensors)));
}

/** Values for every input that an option adds. */
function extraFeeds({ manifest }: TrainingGraphs): Pick<Minibatches, 'terms' | 'noises'> {
  const taken = new Set(manifest.artefacts.step.inputs.map(({ name }) => name));
  const random = (rename: (name: string) => string, seed: number, leading: number[] = []) =>
    Object.fromEntries(
      manifest.parameters
        .filter(({ name }) => taken.has(rename(name)))
        .map(({ name, shape, data }, index) => {
          const length = data.length * (leading[0] ?? 1);
          const values = randomValues(length, seed + index).map((value) => value / 10);
          return [name, { shape: [...leading, ...shape], data: values }];
        }),
    );
  const named = (tensors: OnnxTensors, rename: (name: string) => string): OnnxTensors =>
    Object.fromEntries(Object.entries(tensors).map(([name, each]) => [rename(name), each]));
  const mu = { shape: [], data: Float32Array.of(0.3) };
  return {
    terms: {
      ...named(random(anchorName, 50), anchorName),
      ...named(random(correctionName, 60), correctionName),
      ...(taken.has(portNames.proximal) ? { [portNames.proximal]: mu } : {}),
    },
    noises: random(noiseName, 70, [3]),
  };
}

const everything: Partial<TrainingOptions> = {
  clipping: { kind: 'norm', max: 0.2 },
  proximal: true,
  correction: true,
  exampleClipping: { normMax: 0.1, noise: true },
};

const losses: readonly LossOptions[] = [
  { kind: 'mse' },
  { kind: 'huber' },
  { kind: 'cross-entropy' },
  { kind: 'cross-entropy', target: 'probabilities' },
  { kind: 'binary-cross-entropy' },
];

const optionSets: readonly Partial<TrainingOptions>[] = [
  ...losses.map((loss) => ({ loss })),
  ...optimiserNames.map((kind) => ({ optimiser: { kind, weightDecay: 0.1 } })),
  { clipping: { kind: 'norm', max: 0.01 } },
  { clipping: { kind: 'value', max: 0.01 } },
  { proximal: true },
  { correction: true },
  { exampleClipping: { normMax: 0.1 } },
  { ...everything, loss: 'cross-entropy', optimiser: { kind: 'adamw' } },
];

describe('training with options', () => {
  for (const options of optionSets) {
    it(`gives the same bits by epoch and by step: ${JSON.stringify(options)}`, async () => {
      const graphs = compiled(options);
      const batches = { ...randomMinibatches(graphs), ...extraFeeds(graphs) };
      for (const graphOptimisation of ['off', 'all'] as const) {
        const epoch = await trainByEpoch(graphs, batches, { graphOptimisation });
        const steps = await trainBySteps(graphs, batches, { graphOptimisation });
        assert.deepEqual(epoch.losses, steps.losses);
        assert.equal(digest(epoch.state), digest(steps.state));
        assert.notEqual(digest(epoch.state), digest(initialState(graphs)));
      }
    });

    it(`does not see the rows that fill up a batch: ${JSON.stringify(options)}`, async () => {
      const graphs = compiled(options);
      const batches = { ...randomMinibatches(graphs), ...extraFeeds(graphs), rates: [0.1] };
      const padded = await trainBySteps(graphs, { ...batches, order: [5, 2, -1, -1] });
      const short = await trainBySteps(graphs, { ...batches, order: [5, 2], batch: 2 });
      padded.state.forEach(({ name, data }, index) => {
        data.forEach((value, i) => {
          assert.ok(Math.abs(value - short.state[index]!.data[i]!) < 1e-5, name);
        });
      });
    });

    it(`has the same bytes each time: ${JSON.stringify(options)}`, () => {
      const [first, second] = [compiled(options), compiled(options)];
      for (const name of ['gradients', 'step', 'epoch', 'evaluate', 'predict'] as const) {
        assert.deepEqual(first[name], second[name]);
      }
      assert.deepEqual(first.manifest, second.manifest);
    });
  }
});

describe('an option', () => {
  const adam: OptimiserOptions = { kind: 'adam' };
  const wrong: readonly (readonly [Partial<TrainingOptions>, RegExp])[] = [
    [{ optimiser: { kind: 'sgd', weightDecay: -1 } }, /weightDecay is -1; give a number 0 or more/],
    [{ optimiser: { kind: 'nesterov', momentum: 1 } }, /momentum is 1; .* from 0 to below 1/],
    [{ optimiser: { ...adam, beta1: Number.NaN } }, /beta1 is NaN/],
    [{ optimiser: { ...adam, beta2: 1.5 } }, /beta2 is 1.5/],
    [{ optimiser: { ...adam, epsilon: 0 } }, /epsilon is 0; give a number more than 0/],
    [{ loss: { kind: 'huber', delta: 0 } }, /delta is 0/],
    [{ clipping: { kind: 'norm', max: 0 } }, /clipping.max is 0/],
    [{ exampleClipping: { normMax: Number.POSITIVE_INFINITY } }, /normMax is Infinity/],
  ];
  for (const [options, pattern] of wrong) {
    it(`is refused where it makes no sense: ${pattern.source}`, () => {
      const graphs = compileTraining(mlp, { loss: 'mse', optimiser: sgd, ...options });
      assert.ok(!graphs.ok && graphs.error.code === 'option-invalid');
      assert.match(graphs.error.message, pattern);
    });
  }
});

/** The raw gradients of some rows, all parameters end to end. */
async function gradientsOf(rows: readonly number[], graphs = compiled({})): Promise<number[]> {
  await using session = await nodeOnnxRuntime.load(graphs.gradients);
  const { data } = randomMinibatches(graphs);
  const state = feedsOf(graphs.manifest.parameters);
  const outputs = await session.run({ ...state, ...batchFeeds(data, rows) });
  return graphs.manifest.parameters.flatMap(({ name }) => [
    ...floatsOf(outputs[gradientName(name)]),
  ]);
}

/** What a step of gradient descent at rate 1 takes away, all parameters end to end. */
async function stepOf(options: Partial<TrainingOptions>, rows: readonly number[]) {
  const graphs = compiled(options);
  await using session = await nodeOnnxRuntime.load(graphs.step);
  const { terms = {}, noises = {} } = extraFeeds(graphs);
  const noise = Object.entries(noises).map(([name, { shape, data }]) => [
    noiseName(name),
    { shape: shape.slice(1), data: data.slice(0, data.length / 3) },
  ]);
  const fed = { ...terms, ...Object.fromEntries(noise) } as OnnxTensors;
  const outputs = await session.run({
    ...feedsOf(graphs.manifest.parameters),
    ...batchFeeds(randomMinibatches(graphs).data, rows),
    [portNames.rate]: { shape: [], data: Float32Array.of(1) },
    ...fed,
  });
  const taken = graphs.manifest.parameters.flatMap(({ name, data }) => {
    const next = floatsOf(outputs[nextName(name)]);
    return [...data].map((value, i) => value - next[i]!);
  });
  const flat = (rename: (name: string) => string) =>
    graphs.manifest.parameters.flatMap(({ name }) => [...floatsOf(fed[rename(name)])]);
  const parameters = graphs.manifest.parameters.flatMap(({ data }) => [...data]);
  return { taken, parameters, flat };
}

function assertNear(found: readonly number[], expected: readonly number[]): void {
  assert.equal(found.length, expected.length);
  found.forEach((value, i) => {
    assert.ok(Math.abs(value - expected[i]!) < 2e-6, `${i}: ${value}, not ${expected[i]}`);
  });
}

describe('what is added to the gradient', () => {
  const rows = [3, 1, 4, 8, -1];

  it('draws to the anchor where the step is proximal', async () => {
    const { taken, parameters, flat } = await stepOf({ proximal: true }, rows);
    const gradient = await gradientsOf(rows);
    const anchor = flat(anchorName);
    assertNear(
      taken,
      gradient.map((g, i) => g + 0.3 * (parameters[i]! - anchor[i]!)),
    );
  });

  it('is the correction', async () => {
    const { taken, flat } = await stepOf({ correction: true }, rows);
    const correction = flat(correctionName);
    assertNear(
      taken,
      (await gradientsOf(rows)).map((g, i) => g + correction[i]!),
    );
  });

  it('is clipped together with the rest', async () => {
    const { taken } = await stepOf(
      { proximal: true, correction: true, clipping: { kind: 'norm', max: 0.01 } },
      rows,
    );
    const plain = await stepOf({ proximal: true, correction: true }, rows);
    const scale = 0.01 / norm(plain.taken);
    assert.ok(scale < 0.1);
    assertNear(
      taken,
      plain.taken.map((g) => g * scale),
    );
  });
});

describe('clipping each example', () => {
  for (const normMax of [0.01, 0.4, 1000]) {
    it(`sums gradients that are no longer than ${normMax}`, async () => {
      const rows = [3, 1, 4, 8];
      const { taken } = await stepOf({ exampleClipping: { normMax } }, [...rows, -1]);
      const sum = new Array<number>(taken.length).fill(0);
      for (const row of rows) {
        const gradient = await gradientsOf([row]);
        const scale = 1 / Math.max(1, norm(gradient) / normMax) / rows.length;
        gradient.forEach((g, i) => {
          sum[i]! += scale * g;
        });
      }
      assertNear(taken, sum);
      assert.ok(norm(taken) > 1e-3);
    });
  }

  it('adds the noise it is given', async () => {
    const clipped = await stepOf({ exampleClipping: { normMax: 0.1 } }, [1, 2]);
    const noisy = await stepOf({ exampleClipping: { normMax: 0.1, noise: true } }, [1, 2]);
    const noise = noisy.flat(noiseName);
    assertNear(
      noisy.taken,
      clipped.taken.map((g, i) => g + noise[i]!),
    );
  });

  it('is nothing for plain gradient descent, whose gradients are its moves', async () => {
    const [{ taken }, gradients] = [await stepOf({}, [1, 2, 5]), await gradientsOf([1, 2, 5])];
    assertNear(taken, gradients);
    assert.ok(norm(taken) > 1e-3);
    const momentum = compiled({ optimiser: { kind: 'momentum' } });
    assert.deepEqual(await gradientsOf([1, 2, 5], momentum), gradients);
  });

  it('leaves the gradients artefact as it is', async () => {
    const optimiser = { kind: 'momentum' } as const;
    const plain = compiled({ optimiser });
    const clipping = compiled({ optimiser, exampleClipping: { normMax: 0.1 } });
    assert.deepEqual(clipping.gradients, plain.gradients);
    assert.deepEqual(clipping.evaluate, plain.evaluate);
  });
});

function norm(values: readonly number[]): number {
  return Math.hypot(...values);
}
