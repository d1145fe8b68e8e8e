import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { portNames } from '../artefact-names.ts';
import { compileTraining } from '../compile-training.ts';
import { dataType } from '../model/onnx-proto.ts';
import { shapeSize } from '../model/onnx-tensor.ts';
import {
  buildModel,
  type FixtureNode,
  port,
  randomTensor,
  randomValues,
} from '../model-fixture.ts';
import { nodeOperators } from '../node-operators.fixture.ts';
import { probedShapes } from '../probed-shapes.fixture.ts';

const type = dataType.float32;
const [TIME, BATCH, UNITS] = [5, 3, 2];

const flat: FixtureNode[] = [['Flatten', ['last'], 'y', { axis: { int: 2 } }]];

/** Two layers over x [B, T, 2], of two directions and of one, and what of them is frozen. */
async function compiled(frozen: readonly string[], ending: readonly FixtureNode[] = flat) {
  const layer = (name: string, direction: string, from: number) => {
    const count = direction === 'bidirectional' ? 2 : 1;
    const shapes = { w: [count, 4 * UNITS, from], r: [count, 4 * UNITS, UNITS] };
    const parameters = Object.entries({ ...shapes, b: [count, 8 * UNITS] });
    return {
      inputs: parameters.map(([parameter]) => `${name}.${parameter}`),
      attributes: { hidden_size: { int: UNITS }, direction: { string: direction } },
      tensors: parameters.map(([parameter, shape], seed) =>
        randomTensor(`${name}.${parameter}`, shape, { seed, type }),
      ),
    };
  };
  const [below, above] = [layer('below', 'bidirectional', 2), layer('above', 'reverse', UNITS)];
  const nodes: FixtureNode[] = [
    ['Transpose', ['x'], 'by time', { perm: { ints: [1, 0, 2] } }],
    ['LSTM', ['by time', ...below.inputs], 'h', below.attributes],
    ['ReduceMean', ['h'], 'm', { axes: { ints: [1] }, keepdims: { int: 0 } }],
    ['LSTM', ['m', ...above.inputs], ['', 'last'], above.attributes],
    ...ending,
  ];
  const model = buildModel({
    opset: 17,
    nodes,
    initialisers: [
      ...below.tensors,
      ...above.tensors,
      randomTensor('scale', [UNITS], { seed: 9, type }),
    ],
    inputs: [port('x', [null, TIME, 2], type)],
    outputs: [port('y', [null, UNITS], type)],
  });
  const options = { loss: 'mse', optimiser: { kind: 'sgd' }, frozen } as const;
  const graphs = compileTraining(model, { ...options, shapes: await probedShapes(model) });
  assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
  return graphs.value;
}

function countLstms(bytes: Uint8Array): number {
  return nodeOperators(bytes).filter((operator) => operator === 'LSTM').length;
}

describe('an LSTM in training', () => {
  it('is a loop, and the operator afterwards', async () => {
    const { gradients, evaluate } = await compiled([]);
    assert.deepEqual([gradients, evaluate].map(countLstms), [0, 2]);
  });

  it('stays the operator where nothing of it trains', async () => {
    const { gradients } = await compiled(['below.w', 'below.r', 'below.b']);
    assert.equal(countLstms(gradients), 1);
  });

  it('stays the operator where no gradient reaches it', async () => {
    const { gradients, manifest } = await compiled(
      [],
      [
        ['Flatten', ['last'], 'flat', { axis: { int: 2 } }],
        ['Ceil', ['flat'], 'steps'],
        ['Cast', ['steps'], 'whole', { to: { int: dataType.int64 } }],
        ['Cast', ['whole'], 'count', { to: { int: type } }],
        ['Mul', ['count', 'scale'], 'y'],
      ],
    );
    assert.equal(countLstms(gradients), 2);
    assert.deepEqual(
      manifest.parameters.map(({ name }) => name),
      ['scale'],
    );
  });

  it('comes to what the operator does', async () => {
    const { gradients, evaluate, manifest } = await compiled([]);
    const values = (shape: readonly number[], seed: number) => ({
      shape: [BATCH, ...shape],
      data: randomValues(BATCH * shapeSize(shape), seed),
    });
    const losses: number[] = [];
    for (const bytes of [gradients, evaluate]) {
      await using session = await nodeOnnxRuntime.load(bytes);
      const found = await session.run({
        ...Object.fromEntries(manifest.parameters.map((p) => [p.name, p])),
        x: values([TIME, 2], 1),
        [portNames.target]: values([UNITS], 2),
        [portNames.weights]: { shape: [BATCH], data: new Float32Array(BATCH).fill(1 / BATCH) },
      });
      losses.push(found[portNames.loss]!.data[0] as number);
    }
    const [trained, evaluated] = losses as [number, number];
    assert.ok(Math.abs(trained - evaluated) < 1e-6 * evaluated, `${losses}`);
  });
});
