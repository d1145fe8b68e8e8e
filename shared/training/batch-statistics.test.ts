import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import type { OnnxTensors } from '#runtime/onnx/onnx-runtime.ts';
import type { NamedTensor } from '../codec/tensor.ts';
import { portNames } from './artefact-names.ts';
import { forInference } from './batch-statistics.ts';
import { compileTraining, type TrainingGraphs } from './compile-training.ts';
import type { TrainingOptions } from './differentiate.ts';
import { feedsOf, floatsOf, randomMinibatches, trainBySteps } from './minibatch.fixture.ts';
import { dataType, encodeModel } from './model/onnx-proto.ts';
import { floatTensor, int64Tensor } from './model/onnx-tensor.ts';
import { readSourceGraph } from './model/source-graph.ts';
import { buildModel, type FixtureNode, port, randomTensor } from './model-fixture.ts';
import { probedShapes } from './probed-shapes.fixture.ts';

const type = dataType.float32;
const training = { training_mode: { int: 1 }, momentum: { float: 0.75 } };
const statistics = ['scale', 'shift', 'mean', 'variance'];

/** x [batch, 6] -> y [batch, 2], by a normalisation of two channels that `nodes` hold. */
function model(nodes: readonly FixtureNode[], opset = 17): Uint8Array<ArrayBuffer> {
  return buildModel({
    opset,
    nodes,
    initialisers: [
      randomTensor('w', [6, 2], { seed: 1, type }),
      floatTensor('scale', [2], { type, data: [1.5, 0.5] }),
      floatTensor('shift', [2], { type, data: [0.1, -0.2] }),
      floatTensor('mean', [2], { type, data: [0.25, -0.5] }),
      floatTensor('variance', [2], { type, data: [2, 0.5] }),
      int64Tensor('pairs', [2], [-1, 2]),
      int64Tensor('sixes', [2], [-1, 6]),
    ],
    inputs: [port('x', [null, 6], type)],
    outputs: [port('y', [null, 2], type)],
  });
}

const plain = model([
  ['MatMul', ['x', 'w'], 'h'],
  ['BatchNormalization', ['h', ...statistics], ['y', 'mean1', 'variance1'], training],
]);

async function compile(bytes: Uint8Array, options: Partial<TrainingOptions> = {}) {
  const shapes = await probedShapes(bytes);
  return compileTraining(bytes, { loss: 'mse', optimiser: { kind: 'sgd' }, shapes, ...options });
}

async function compiled(bytes: Uint8Array): Promise<TrainingGraphs> {
  const graphs = await compile(bytes);
  assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
  return graphs.value;
}

async function run(bytes: Uint8Array, feeds: OnnxTensors): Promise<OnnxTensors> {
  await using session = await nodeOnnxRuntime.load(bytes);
  return await session.run(feeds);
}

function close(found: ArrayLike<number>, expected: ArrayLike<number>): void {
  assert.equal(found.length, expected.length);
  Array.from(found).forEach((value, i) => {
    assert.ok(Math.abs(value - expected[i]!) < 1e-5, `${i}: ${value}, not ${expected[i]}`);
  });
}

function dataOf(state: readonly NamedTensor[], name: string): Float32Array {
  return state.find((tensor) => tensor.name === name)!.data;
}

/** Mean and population variance of each of two channels. */
function momentsOf(values: ArrayLike<number>): { mean: number[]; variance: number[] } {
  const columns = [0, 1].map((c) => Array.from(values).filter((_, i) => i % 2 === c));
  const mean = columns.map((column) => column.reduce((sum, v) => sum + v, 0) / column.length);
  const variance = columns.map(
    (column, c) => column.reduce((sum, v) => sum + (v - mean[c]!) ** 2, 0) / column.length,
  );
  return { mean, variance };
}

describe('a model with batch normalisation in training mode', () => {
  it('is evaluated and predicted with by its running statistics, and written back', async () => {
    const graphs = await compiled(plain);
    const batches = randomMinibatches(graphs);
    const { state } = await trainBySteps(graphs, batches);
    const written = graphs.writeBack(state);
    assert.ok(written.ok);
    const source = readSourceGraph(written.value);
    assert.ok(source.ok);
    for (const { name, data } of state) {
      const raw: Uint8Array = source.value.initialisers.get(name)!.rawData;
      assert.deepEqual(new Float32Array(new Uint8Array(raw).buffer), data, name);
    }
    const used = encodeModel(forInference(source.value).model);
    const x = batches.data.x!;
    const y = floatsOf((await run(used, { x })).y);
    close(floatsOf((await run(graphs.predict, { ...feedsOf(state), x })).y), y);

    const target = batches.data[portNames.target]!;
    const weights = { shape: [10], data: new Float32Array(10).fill(0.1) };
    const goal = { [portNames.target]: target, [portNames.weights]: weights };
    const scores = await run(graphs.evaluate, { ...feedsOf(state), x, ...goal });
    const wanted = floatsOf(target);
    const loss = y.reduce((sum, value, i) => sum + (value - wanted[i]!) ** 2, 0) / y.length;
    close(floatsOf(scores[portNames.loss]), [loss]);
    const asTrained = await run(written.value, { x });
    assert.notDeepEqual(floatsOf(asTrained.y), y, 'the file trains on as it did');
  });

  for (const [title, pass, rowsOfEach] of [
    ['a batch', [['MatMul', ['x', 'w'], 'h']], 1],
    ['a batch of which each example has several rows', [['Reshape', ['x', 'pairs'], 'h']], 3],
  ] as const) {
    it(`takes the statistics of ${title} without the rows that fill it up`, async () => {
      const after: FixtureNode[] =
        rowsOfEach === 1
          ? [['Identity', ['n'], 'y']]
          : [
              ['Reshape', ['n', 'sixes'], 'wide'],
              ['MatMul', ['wide', 'w'], 'y'],
            ];
      const norm: FixtureNode = ['BatchNormalization', ['h', ...statistics], 'n', training];
      const graphs = await compiled(model([...pass, norm, ...after]));
      const { data, ...others } = randomMinibatches(graphs);
      const order = [5, 2, -1, -1];
      const { state } = await trainBySteps(graphs, { ...others, data, order, rates: [0.1] });
      const rows = [5, 2].flatMap((row) => [...floatsOf(data.x).subarray(row * 6, row * 6 + 6)]);
      const hidden =
        rowsOfEach === 1
          ? floatsOf((await run(probe, { x: { shape: [2, 6], data: Float32Array.from(rows) } })).h)
          : rows;
      const { mean, variance } = momentsOf(hidden);
      close(
        dataOf(state, 'mean'),
        [0.25, -0.5].map((v, c) => 0.75 * v + 0.25 * mean[c]!),
      );
      close(
        dataOf(state, 'variance'),
        [2, 0.5].map((v, c) => 0.75 * v + 0.25 * variance[c]!),
      );
    });
  }

  const probe = buildModel({
    nodes: [['MatMul', ['x', 'w'], 'h']],
    initialisers: [randomTensor('w', [6, 2], { seed: 1, type })],
    inputs: [port('x', [null, 6], type)],
    outputs: [port('h', [null, 2], type)],
  });

  it('moves statistics twice where a layer runs twice, keeps frozen ones', async () => {
    const twice = model([
      ['MatMul', ['x', 'w'], 'h'],
      ['BatchNormalization', ['h', ...statistics], 'n', training],
      ['BatchNormalization', ['n', ...statistics], 'y', training],
    ]);
    const graphs = await compiled(twice);
    const batches = { ...randomMinibatches(graphs), order: [5, 2, 1, 0], rates: [0] };
    const { state } = await trainBySteps(graphs, batches);
    const rows = [5, 2, 1, 0].flatMap((row) => [
      ...floatsOf(batches.data.x).subarray(row * 6, row * 6 + 6),
    ]);
    const x = { shape: [4, 6], data: Float32Array.from(rows) };
    const { mean } = momentsOf(floatsOf((await run(probe, { x })).h));
    // What the first layer gives has the mean `shift`.
    const shift = [0.1, -0.2];
    const expected = [0.25, -0.5].map(
      (v, c) => 0.75 * (0.75 * v + 0.25 * mean[c]!) + 0.25 * shift[c]!,
    );
    close(dataOf(state, 'mean'), expected);

    const frozen = await compile(plain, { frozen: ['variance'] });
    assert.ok(frozen.ok);
    assert.deepEqual(
      frozen.value.manifest.statistics.map(({ name }) => name),
      ['mean'],
    );
    assert.deepEqual(frozen.value.manifest.frozen, ['variance']);
  });

  it('is read as such in operator set 13, where its outputs tell', async () => {
    const { training_mode: _, ...old } = training;
    const outputs = ['y', 'mean1', 'variance1', 'mean2', 'variance2'];
    const graphs = await compiled(
      model(
        [
          ['MatMul', ['x', 'w'], 'h'],
          ['BatchNormalization', ['h', ...statistics], outputs, old],
        ],
        13,
      ),
    );
    assert.equal(graphs.manifest.statistics.length, 2);
    const { state } = await trainBySteps(graphs, randomMinibatches(graphs));
    const same = await compiled(plain);
    close(
      dataOf(state, 'mean'),
      dataOf((await trainBySteps(same, randomMinibatches(same))).state, 'mean'),
    );
  });

  it('is refused where each example must have a gradient of its own', async () => {
    const refused = await compile(plain, { exampleClipping: { normMax: 1 } });
    assert.ok(!refused.ok);
    assert.equal(refused.error.code, 'option-invalid');
    assert.match(
      refused.error.message,
      /make y mean1 variance1 normalises each example by its whole batch/,
    );
  });
});
