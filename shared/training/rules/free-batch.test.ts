import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkGradients } from '../gradient.contract.ts';
import type { TensorProto } from '../model/onnx-proto.ts';
import { floatTensor, int64Tensor } from '../model/onnx-tensor.ts';
import { buildModel, type FixtureNode, port, randomTensor } from '../model-fixture.ts';
import { compileModel } from './rule-case.contract.ts';

const initialisers: readonly TensorProto[] = [
  randomTensor('p', [1, 4], { seed: 1 }),
  randomTensor('q', [2, 4], { seed: 2 }),
  ...[0, 1, 2, 4].map((value) => int64Tensor(`${value}`, [1], [value])),
  int64Tensor('twice', [2], [0, 0]),
  floatTensor('low', [], { type: 11, data: [-0.1] }),
];

const rows = { axis: { int: 0 } };
const scaled: FixtureNode = ['Mul', ['x', 'p'], 'a'];

/** Models y [batch, 4] of x [batch, 4] that work along the batch. */
const models: Readonly<Record<string, readonly FixtureNode[]>> = {
  'put between rows and taken out again': [
    scaled,
    ['Concat', ['q', 'a', 'q', 'a'], 'stack', rows],
    ['Shape', ['a'], 'size', { end: { int: 1 } }],
    ['Add', ['size', '2'], 'end'],
    ['Slice', ['stack', '2', 'end', '0'], 'first'],
    ['Add', ['end', '2'], 'start'],
    ['Add', ['start', 'size'], 'last'],
    ['Slice', ['stack', 'start', 'last', '0'], 'second'],
    ['Slice', ['stack', '1', '2', '0'], 'row'],
    ['Mul', ['first', 'second'], 'product'],
    ['Mul', ['product', 'row'], 'y'],
  ],
  'joined and split': [
    scaled,
    ['Sub', ['x', 'p'], 'b'],
    ['Concat', ['a', 'b'], 'stack', rows],
    ['Split', ['stack'], ['c', 'd'], { ...rows, num_outputs: { int: 2 } }],
    ['Mul', ['c', 'd'], 'y'],
  ],
  'freed of its mean': [
    scaled,
    ['ReduceMean', ['a', '0'], 'mean'],
    ['Sub', ['a', 'mean'], 'centred'],
    ['Mul', ['centred', 'a'], 'y'],
  ],
  'expanded to': [
    ['Shape', ['x'], 'shape'],
    ['Expand', ['p', 'shape'], 'wide'],
    ['Mul', ['x', 'wide'], 'y'],
  ],
  indexed: [
    scaled,
    ['Gather', ['a', 'twice'], 'picked', rows],
    ['ReduceSum', ['picked', '0'], 'sum'],
    ['Mul', ['a', 'sum'], 'y'],
  ],
  'clipped to a limit that trains, and padded with a value that trains': [
    ['ReduceMax', ['p'], 'high', { keepdims: { int: 0 } }],
    ['Mul', ['high', 'low'], 'bottom'],
    ['Clip', ['x', 'bottom', 'high'], 'clipped'],
    ['Concat', ['0', '1', '0', '0'], 'pads', rows],
    ['Pad', ['clipped', 'pads', 'high'], 'padded'],
    ['Slice', ['padded', '0', '4', '1'], 'edge'],
    ['Mul', ['edge', 'clipped'], 'y'],
  ],
};

describe('rules along a batch that varies', () => {
  for (const [title, nodes] of Object.entries(models)) {
    it(`hold where it is ${title}`, async () => {
      const model = buildModel({
        nodes,
        initialisers,
        inputs: [port('x', [null, 4])],
        outputs: [port('y', [null, 4])],
      });
      const graphs = await compileModel(model);
      for (const size of [2, 5]) {
        const check = await checkGradients(graphs, size);
        assert.ok(check.differenceError < 1e-7, `central differences: ${check.differenceError}`);
        assert.ok(check.adjointError < 1e-7, `adjoint: ${check.adjointError}`);
        for (const [name, magnitude] of check.magnitudes) assert.ok(magnitude > 1e-3, name);
      }
    });
  }
});
