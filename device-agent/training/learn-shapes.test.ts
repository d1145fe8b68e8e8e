import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { dataType } from '#shared/training/model/onnx-proto.ts';
import { floatTensor, int64Tensor } from '#shared/training/model/onnx-tensor.ts';
import type { Shape, Shapes } from '#shared/training/model/shape.ts';
import {
  buildModel,
  type FixtureNode,
  port,
  randomTensor,
} from '#shared/training/model-fixture.ts';
import { learnShapes } from './learn-shapes.ts';

const type = dataType.float32;

async function learnt(x: Shape, ...nodes: readonly FixtureNode[]): Promise<Shapes> {
  const model = buildModel({
    nodes,
    initialisers: [
      randomTensor('kernel', [1, 1, 3, 3], { seed: 1, type }),
      randomTensor('table', [20, 2], { seed: 2, type }),
      floatTensor('twice', [4], { type, data: [1, 1, 2, 2] }),
      ...[0, 1, 2].map((value) => int64Tensor(`${value}`, [1], [value])),
    ],
    inputs: [port('x', x, type)],
    outputs: [port('y', x, type)],
  });
  const shapes = await learnShapes(nodeOnnxRuntime, model);
  assert.ok(shapes.ok, shapes.ok ? '' : shapes.error.message);
  return shapes.value;
}

describe('the shapes of a model, learnt by running it', () => {
  const image = [null, 1, null, null];
  const half = { kernel_shape: { ints: [2, 2] }, strides: { ints: [2, 2] } };

  it('vary with the input after strides as before them', async () => {
    const fourth = { kernel_shape: { ints: [4, 4] }, strides: { ints: [4, 4] } };
    const shapes = await learnt(
      image,
      ['MaxPool', ['x'], 'h', fourth],
      ['MaxPool', ['h'], 'i', half],
      ['Conv', ['i', 'kernel'], 'y', { pads: { ints: [1, 1, 1, 1] }, strides: { ints: [2, 2] } }],
    );
    for (const name of ['x', 'h', 'i', 'y']) assert.deepEqual(shapes.get(name), image, name);
  });

  it('are found where the size must be even, or not too small', async () => {
    const shapes = await learnt(
      image,
      ['MaxPool', ['x'], 'h', half],
      ['Resize', ['h', '', 'twice'], 'r'],
      ['Add', ['x', 'r'], 's'],
      ['Conv', ['s', 'kernel'], 'y', { dilations: { ints: [6, 6] } }],
    );
    assert.deepEqual(shapes.get('y'), image);
  });

  it('are found where the size has a limit', async () => {
    const window = [null, null, 2];
    const shapes = await learnt(
      window,
      ['Shape', ['x'], 'length', { start: { int: 1 }, end: { int: 2 } }],
      ['Slice', ['table', '0', 'length'], 'places'],
      ['Add', ['x', 'places'], 'y'],
    );
    assert.deepEqual(shapes.get('y'), window);
    assert.deepEqual(shapes.get('places'), [null, 2]);
  });
});
