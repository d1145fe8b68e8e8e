import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { compileTraining } from '../compile-training.ts';
import { buildModel, port, randomTensor, randomValues } from '../model-fixture.ts';
import { dataType } from './onnx-proto.ts';
import { floatTensor, int64Tensor } from './onnx-tensor.ts';

const type = dataType.float32;

describe('a model of operator set 13', () => {
  it('means the same in its training graphs, where a default has changed', async () => {
    const model = buildModel({
      opset: 13,
      nodes: [
        ['RoiAlign', ['image', 'corners', 'place'], 'regions', { spatial_scale: { float: 0.7 } }],
        ['ReduceMean', ['regions'], 'mean', { keepdims: { int: 0 } }],
        ['Mul', ['x', 'p'], 'scaled'],
        ['Add', ['scaled', 'mean'], 'y'],
      ],
      initialisers: [
        randomTensor('image', [1, 1, 6, 6], { seed: 1, type }),
        floatTensor('corners', [1, 4], { type, data: [0.4, 1.3, 3.1, 4.6] }),
        int64Tensor('place', [1], [0]),
        randomTensor('p', [3], { seed: 2, type }),
      ],
      inputs: [port('x', [null, 3], type)],
      outputs: [port('y', [null, 3], type)],
    });
    const graphs = compileTraining(model, {
      loss: { kind: 'mse' },
      optimiser: { kind: 'sgd' },
      frozen: ['image', 'corners'],
      shapes: new Map([
        ['scaled', [null, 3]],
        ['mean', []],
      ]),
    });
    assert.ok(graphs.ok);
    const x = { shape: [2, 3], data: randomValues(6, 3) };
    const p = { shape: [3], data: randomValues(3, 2) };
    await using original = await nodeOnnxRuntime.load(model);
    await using predict = await nodeOnnxRuntime.load(graphs.value.predict);
    const expected = (await original.run({ x })).y!.data;
    assert.deepEqual((await predict.run({ x, p })).y!.data, expected);
  });
});
