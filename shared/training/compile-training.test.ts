import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sha256 } from '@noble/hashes/sha2.js';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { bytesToHex } from '../basics/bytes.ts';
import { encodeTensors, type NamedTensor } from '../codec/tensor.ts';
import { gradientName, nextName, portNames } from './artefact-names.ts';
import { compileTraining, type TrainingGraphs } from './compile-training.ts';
import type { TrainingOptions } from './differentiate.ts';
import { checkGradients } from './gradient.contract.ts';
import {
  batchFeeds,
  feedsOf,
  floatsOf,
  initialState,
  type Minibatches,
  trainByEpoch,
  trainBySteps,
} from './minibatch.fixture.ts';
import { createMlpModel } from './mlp-model.ts';
import { dataType } from './model/onnx-proto.ts';
import type { Shape } from './model/shape.ts';
import { buildModel, port, randomTensor, randomValues } from './model-fixture.ts';
import type { OptimiserOptions } from './optimisers.ts';

const sgd: OptimiserOptions = { kind: 'sgd' };
const adam: OptimiserOptions = { kind: 'adam', beta1: 0.8, beta2: 0.99, epsilon: 1e-6 };

function compiled(model: Uint8Array, options: Partial<TrainingOptions> = {}): TrainingGraphs {
  const graphs = compileTraining(model, { loss: 'mse', optimiser: sgd, ...options });
  assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
  return graphs.value;
}

const mlp = createMlpModel({ inputs: 4, hidden: [6, 5], outputs: 2, seed: 3 });
const COUNT = 10;
const BATCH = 4;
const inputs = randomValues(COUNT * 4, 1);
const targets = randomValues(COUNT * 2, 2);
/** Three minibatches, the last one short, in no particular order. */
const order = [7, 2, 9, 0, 1, 3, 8, 5, 6, 4, -1, -1];
const rates = [0.1, 0.05, 0.02];

function digest(tensors: readonly NamedTensor[]): string {
  return bytesToHex(sha256(encodeTensors(tensors)));
}

const minibatches: Minibatches = {
  data: {
    x: { shape: [COUNT, 4], data: inputs },
    [portNames.target]: { shape: [COUNT, 2], data: targets },
  },
  order,
  batch: BATCH,
  rates,
};

describe('a compiled model', () => {
  const models = {
    'Gemm and Relu': [
      ['Gemm', ['x', 'w1', 'b1'], 'h'],
      ['Relu', ['h'], 'a'],
      ['Gemm', ['a', 'w2', 'b2'], 'y'],
    ],
    'MatMul, Add, Tanh, and a way around': [
      ['MatMul', ['x', 'w1'], 'm'],
      ['Add', ['m', 'b1'], 'h'],
      ['Tanh', ['h'], 'a'],
      ['Mul', ['a', 'h'], 'g'],
      ['Sub', ['g', 'm'], 'r'],
      ['MatMul', ['r', 'w2'], 'n'],
      ['Add', ['n', 'b2'], 's'],
      ['Sigmoid', ['s'], 'y'],
    ],
    'weights used twice': [
      ['MatMul', ['x', 'w1'], 'm'],
      ['Add', ['b1', 'm'], 'h'],
      ['Mul', ['h', 'h'], 'q'],
      ['Add', ['q', 'b1'], 'a'],
      ['Gemm', ['a', 'w2', 'b2'], 'y'],
    ],
  } as const;
  for (const [name, nodes] of Object.entries(models)) {
    it(`agrees with central differences: ${name}`, async () => {
      const model = buildModel({
        nodes,
        initialisers: [
          randomTensor('w1', [4, 5], { seed: 1 }),
          randomTensor('b1', [5], { seed: 2 }),
          randomTensor('w2', [5, 3], { seed: 3 }),
          randomTensor('b2', [3], { seed: 4 }),
        ],
        inputs: [port('x', [null, 4])],
        outputs: [port('y', [null, 3])],
      });
      const shapes = new Map<string, Shape>();
      for (const value of ['m', 'h', 'a', 'g', 'r', 'q']) shapes.set(value, [null, 5]);
      for (const value of ['n', 's']) shapes.set(value, [null, 3]);
      const check = await checkGradients(compiled(model, { shapes }), 7);
      assert.equal(check.magnitudes.size, 4);
      assert.ok(check.differenceError < 1e-7, `central differences: ${check.differenceError}`);
      assert.ok(check.adjointError < 1e-7, `adjoint: ${check.adjointError}`);
    });
  }

  it('has the same bytes each time', () => {
    const first = compiled(mlp, { optimiser: adam });
    const second = compiled(mlp, { optimiser: adam });
    for (const name of ['gradients', 'step', 'epoch', 'evaluate', 'predict'] as const) {
      assert.deepEqual(first[name], second[name]);
    }
    assert.deepEqual(first.manifest, second.manifest);
  });

  for (const [kind, optimiser] of Object.entries({ sgd, adam })) {
    for (const graphOptimisation of ['off', 'all'] as const) {
      const title = `${kind}, optimisation ${graphOptimisation}`;
      it(`gives the same bits by epoch and by step: ${title}`, async () => {
        const graphs = compiled(mlp, { optimiser });
        const epoch = await trainByEpoch(graphs, minibatches, { graphOptimisation });
        const step = await trainBySteps(graphs, minibatches, { graphOptimisation });
        assert.deepEqual(epoch.losses, step.losses);
        assert.equal(digest(epoch.state), digest(step.state));
        assert.notEqual(digest(epoch.state), digest(initialState(graphs)));
      });
    }
  }

  it('does not see the rows that fill up a batch', async () => {
    const { step, manifest } = compiled(mlp);
    await using session = await nodeOnnxRuntime.load(step);
    const run = async (rows: number, real: number) => {
      const outputs = await session.run({
        ...feedsOf(manifest.parameters),
        x: { shape: [rows, 4], data: inputs.slice(0, rows * 4) },
        [portNames.target]: { shape: [rows, 2], data: targets.slice(0, rows * 2) },
        [portNames.weights]: {
          shape: [rows],
          data: Float32Array.from({ length: rows }, (_, row) => (row < real ? 1 / real : 0)),
        },
        [portNames.rate]: { shape: [], data: Float32Array.of(0.5) },
      });
      return manifest.parameters.flatMap(({ name }) => [...floatsOf(outputs[nextName(name)])]);
    };
    const padded = await run(6, 3);
    const short = await run(3, 3);
    padded.forEach((value, i) => {
      assert.ok(Math.abs(value - short[i]!) < 1e-6);
    });
  });

  it('updates by Adam as published', async () => {
    const graphs = compiled(mlp, { optimiser: adam });
    const trained = await trainBySteps(graphs, minibatches);
    await using session = await nodeOnnxRuntime.load(graphs.gradients);
    const expected = await adamReference(graphs.manifest.parameters, async (parameters, index) => {
      const rows = order.slice(index * BATCH, (index + 1) * BATCH).filter((row) => row >= 0);
      const fed = { ...feedsOf(parameters), ...batchFeeds(minibatches.data, rows) };
      const outputs = await session.run(fed);
      return parameters.map(({ name }) => floatsOf(outputs[gradientName(name)]));
    });
    expected.forEach((values, p) => {
      values.forEach((value, i) => {
        assert.ok(Math.abs(value - trained.state[p]!.data[i]!) < 1e-4);
      });
    });
  });

  it('evaluates to the mean squared and the mean absolute error', async () => {
    const { evaluate, predict, manifest } = compiled(mlp);
    await using evaluating = await nodeOnnxRuntime.load(evaluate);
    await using predicting = await nodeOnnxRuntime.load(predict);
    const given = { ...feedsOf(manifest.parameters), x: { shape: [COUNT, 4], data: inputs } };
    const outputs = await evaluating.run({
      ...given,
      [portNames.target]: { shape: [COUNT, 2], data: targets },
      [portNames.weights]: { shape: [COUNT], data: new Float32Array(COUNT).fill(1 / COUNT) },
    });
    const predicted = floatsOf((await predicting.run(given)).y);
    const errors = [...predicted].map((value, i) => value - targets[i]!);
    const mean = (values: number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
    const [loss] = floatsOf(outputs[portNames.loss]);
    const [metric] = floatsOf(outputs[portNames.metric]);
    assert.ok(Math.abs(loss! - mean(errors.map((e) => e * e))) < 1e-6);
    assert.ok(Math.abs(metric! - mean(errors.map(Math.abs))) < 1e-6);
  });

  it('is written back as a model that predicts the same', async () => {
    const graphs = compiled(mlp, { optimiser: adam });
    const parameters = (await trainByEpoch(graphs, minibatches)).state.slice(
      0,
      graphs.manifest.parameters.length,
    );
    const written = graphs.writeBack(parameters);
    assert.ok(written.ok);
    await using ordinary = await nodeOnnxRuntime.load(written.value);
    await using original = await nodeOnnxRuntime.load(mlp);
    await using predict = await nodeOnnxRuntime.load(graphs.predict);
    const x = { shape: [COUNT, 4], data: inputs };
    const expected = floatsOf((await predict.run({ ...feedsOf(parameters), x })).y);
    assert.deepEqual(ordinary.inputNames, ['x']);
    // Near, not equal: the runtime lays out weights that are constants in another way.
    const distance = (values: Float32Array) =>
      values.reduce((most, y, i) => Math.max(most, Math.abs(y - expected[i]!)), 0);
    assert.ok(distance(floatsOf((await ordinary.run({ x })).y)) < 1e-6);
    assert.ok(distance(floatsOf((await original.run({ x })).y)) > 1e-3);
    assert.deepEqual(compiled(written.value).manifest.parameters, parameters);
  });

  it('is not written back with foreign parameters', () => {
    const { manifest, writeBack } = compiled(mlp);
    const [first, ...others] = manifest.parameters;
    for (const given of [
      others,
      [...manifest.parameters, { ...first!, name: 'stranger' }],
      [{ ...first!, shape: [...first!.shape].reverse() }, ...others],
      [{ ...first!, data: new Float32Array(1) }, ...others],
    ]) {
      const written = writeBack(given);
      assert.ok(!written.ok && written.error.code === 'parameters-mismatch');
    }
  });

  it('keeps frozen parameters out of training', async () => {
    const { manifest, step } = compiled(mlp, { frozen: ['layer1.weight', 'layer1.bias'] });
    assert.deepEqual(manifest.frozen, ['layer1.weight', 'layer1.bias']);
    assert.equal(manifest.parameters[0]?.name, 'layer2.weight');
    await using session = await nodeOnnxRuntime.load(step);
    assert.ok(!session.inputNames.includes('layer1.weight'));
  });

  it('takes batches of any size where the model was exported for one', async () => {
    const type = dataType.float32;
    const { gradients, manifest } = compiled(
      buildModel({
        nodes: [['Gemm', ['x', 'w'], 'y']],
        initialisers: [randomTensor('w', [4, 2], { seed: 1, type })],
        inputs: [port('x', [1, 4], type)],
        outputs: [port('y', [1, 2], type)],
      }),
    );
    await using session = await nodeOnnxRuntime.load(gradients);
    const outputs = await session.run({
      ...feedsOf(manifest.parameters),
      x: { shape: [COUNT, 4], data: inputs },
      [portNames.target]: { shape: [COUNT, 2], data: targets },
      [portNames.weights]: { shape: [COUNT], data: new Float32Array(COUNT).fill(1 / COUNT) },
    });
    assert.deepEqual(outputs[gradientName('w')]?.shape, [4, 2]);
  });

  it('takes a model whose initialisers are inputs too, and scalars for constants', () => {
    const type = dataType.float32;
    const { manifest } = compiled(
      buildModel({
        nodes: [
          ['Mul', ['x', 'half'], 'h'],
          ['Gemm', ['h', 'w'], 'y'],
        ],
        initialisers: [
          randomTensor('w', [2, 1], { seed: 1, type }),
          randomTensor('half', [], { seed: 2, type }),
        ],
        inputs: [port('x', [null, 2], type), port('w', [2, 1], type)],
        outputs: [port('y', [null, 1], type)],
      }),
    );
    assert.deepEqual(
      manifest.inputs.map(({ name }) => name),
      ['x'],
    );
    assert.deepEqual(
      manifest.parameters.map(({ name }) => name),
      ['w'],
    );
    assert.deepEqual(manifest.frozen, ['half']);
  });
});

/** Kingma & Ba, algorithm 1, in double precision. */
async function adamReference(
  initial: readonly NamedTensor[],
  gradientsAt: (parameters: readonly NamedTensor[], step: number) => Promise<Float32Array[]>,
): Promise<Float64Array[]> {
  const [alpha, beta1, beta2, epsilon] = [rates, 0.8, 0.99, 1e-6] as const;
  const theta = initial.map(({ data }) => Float64Array.from(data));
  const m = theta.map((values) => new Float64Array(values.length));
  const v = theta.map((values) => new Float64Array(values.length));
  for (let step = 0; step < alpha.length; step++) {
    const now = initial.map((tensor, p) => ({ ...tensor, data: Float32Array.from(theta[p]!) }));
    const gradients = await gradientsAt(now, step);
    gradients.forEach((gradient, p) => {
      gradient.forEach((g, i) => {
        m[p]![i] = beta1 * m[p]![i]! + (1 - beta1) * g;
        v[p]![i] = beta2 * v[p]![i]! + (1 - beta2) * g * g;
        const mHat = m[p]![i]! / (1 - beta1 ** (step + 1));
        const vHat = v[p]![i]! / (1 - beta2 ** (step + 1));
        theta[p]![i]! -= (alpha[step]! * mHat) / (Math.sqrt(vHat) + epsilon);
      });
    });
  }
  return theta;
}
