import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { portNames } from './artefact-names.ts';
import { checkGradients } from './gradient.contract.ts';
import type { Attributes } from './model/attributes.ts';
import { dataType } from './model/onnx-proto.ts';
import { shapeSize } from './model/onnx-tensor.ts';
import { buildModel, port, randomTensor, randomValues } from './model-fixture.ts';
import { nodeOperators } from './node-operators.fixture.ts';
import { compileModel } from './rules/rule-case.contract.ts';

const type = dataType.float32;
const BATCH = 3;
const ints = (...values: number[]) => ({ ints: values });

interface Convolution {
  /** Of one example. */
  readonly operand: readonly number[];
  readonly weights: readonly number[];
  readonly attributes?: Attributes;
  readonly hasBias?: boolean;
  readonly output: readonly number[];
}

/** A convolution of x p, where x and p are equal in shape but for the batch. */
async function compiled(layer: Convolution) {
  const { operand, weights, attributes = {}, hasBias = true, output } = layer;
  const operands = ['data', 'w', ...(hasBias ? ['b'] : [])];
  return compileModel(
    buildModel({
      nodes: [
        ['Mul', ['x', 'p'], 'data'],
        ['Conv', operands, 'y', attributes],
      ],
      initialisers: [
        randomTensor('p', [1, ...operand], { seed: 1, type }),
        randomTensor('w', weights, { seed: 2, type }),
        ...(hasBias ? [randomTensor('b', [weights[0]!], { seed: 3, type })] : []),
      ],
      inputs: [port('x', [null, ...operand], type)],
      outputs: [port('y', [null, ...output], type)],
    }),
  );
}

const products: Readonly<Record<string, Convolution>> = {
  'of 3 x 2 without padding': { operand: [2, 5, 6], weights: [3, 2, 3, 2], output: [3, 3, 5] },
  'of 5 x 5, padded to the size of its input': {
    operand: [3, 6, 4],
    weights: [4, 3, 5, 5],
    attributes: { pads: ints(2, 2, 2, 2) },
    output: [4, 6, 4],
  },
  'padded unevenly and dilated': {
    operand: [2, 5, 6],
    weights: [3, 2, 2, 3],
    attributes: { pads: ints(2, 0, 1, 2), dilations: ints(2, 2) },
    output: [3, 6, 4],
  },
  'with automatic padding': {
    operand: [2, 5, 6],
    weights: [3, 2, 2, 4],
    attributes: { auto_pad: { string: 'SAME_LOWER' } },
    output: [3, 5, 6],
  },
  'of one channel to one, without biases': {
    operand: [1, 4, 4],
    weights: [1, 1, 2, 2],
    hasBias: false,
    output: [1, 3, 3],
  },
};

const others: Readonly<Record<string, Convolution>> = {
  'with a stride': {
    operand: [2, 5, 5],
    weights: [3, 2, 3, 3],
    attributes: { strides: ints(2, 2) },
    output: [3, 2, 2],
  },
  'in groups': {
    operand: [2, 4, 4],
    weights: [4, 1, 3, 3],
    attributes: { group: { int: 2 } },
    output: [4, 2, 2],
  },
  'with a kernel of one row': { operand: [2, 4, 4], weights: [3, 2, 1, 3], output: [3, 4, 2] },
  'over a long axis': { operand: [1, 3, 33], weights: [2, 1, 2, 2], output: [2, 2, 32] },
  'over one axis': { operand: [2, 6], weights: [3, 2, 3], output: [3, 4] },
};

describe('a convolution in training', () => {
  for (const [title, layer] of Object.entries(products)) {
    it(`${title} is a product, with the gradients of one`, async () => {
      const graphs = await compiled(layer);
      const operators = nodeOperators(graphs.gradients);
      assert.ok(!operators.some((operator) => operator.startsWith('Conv')), `${operators}`);
      assert.deepEqual(nodeOperators(graphs.predict), ['Mul', 'Conv']);
      const check = await checkGradients(graphs, BATCH, 0.25);
      assert.ok(check.differenceError < 2e-5, `${check.differenceError}`);
      assert.ok(check.adjointError < 2e-5, `${check.adjointError}`);
      assert.equal(check.magnitudes.size, layer.hasBias === false ? 2 : 3);
    });

    it(`${title} comes to what the operator does`, async () => {
      const graphs = await compiled(layer);
      const losses = await Promise.all([graphs.gradients, graphs.evaluate].map(lossOf));
      const [trained, evaluated] = losses as [number, number];
      assert.ok(Math.abs(trained - evaluated) < 1e-6 * evaluated, `${losses}`);
    });

    async function lossOf(bytes: Uint8Array): Promise<number> {
      const { operand, output } = layer;
      const { manifest } = await compiled(layer);
      await using session = await nodeOnnxRuntime.load(bytes);
      const values = (shape: readonly number[], seed: number) => ({
        shape: [BATCH, ...shape],
        data: randomValues(BATCH * shapeSize(shape), seed),
      });
      const found = await session.run({
        ...Object.fromEntries(manifest.parameters.map((p) => [p.name, p])),
        x: values(operand, 4),
        [portNames.target]: values(output, 5),
        [portNames.weights]: { shape: [BATCH], data: new Float32Array(BATCH).fill(1 / BATCH) },
      });
      return found[portNames.loss]!.data[0] as number;
    }
  }

  for (const [title, layer] of Object.entries(others)) {
    it(`${title} stays one`, async () => {
      assert.ok(nodeOperators((await compiled(layer)).gradients).includes('Conv'));
    });
  }

  it('of data that do not train stays one', async () => {
    const graphs = await compileModel(
      buildModel({
        nodes: [['Conv', ['x', 'w'], 'y']],
        initialisers: [randomTensor('w', [2, 1, 3, 3], { seed: 1, type })],
        inputs: [port('x', [null, 1, 5, 5], type)],
        outputs: [port('y', [null, 2, 3, 3], type)],
      }),
    );
    assert.ok(nodeOperators(graphs.gradients).includes('Conv'));
  });
});
