import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { gradientName, portNames } from '../artefact-names.ts';
import type { Attributes } from '../model/attributes.ts';
import { dataType, decodeModel } from '../model/onnx-proto.ts';
import { floatTensor, shapeSize } from '../model/onnx-tensor.ts';
import { buildModel, type FixtureNode, port, randomValues } from '../model-fixture.ts';
import { compileModel } from './rule-case.contract.ts';

const BATCH = 3;

interface Pool {
  /** Of one example: channels, then spatial axes. */
  readonly operand: readonly number[];
  readonly output: readonly number[];
  readonly kernel: readonly number[];
}

const tilings: readonly Pool[] = [
  { operand: [2, 6], output: [2, 2], kernel: [3] },
  { operand: [2, 4, 6], output: [2, 2, 3], kernel: [2, 2] },
  { operand: [2, 6, 4], output: [2, 2, 4], kernel: [3, 1] },
  { operand: [2, 2, 4, 6], output: [2, 1, 2, 2], kernel: [2, 2, 3] },
];

/** What a MaxPool of x + p comes to, where few values are apart, with `before` it. */
async function trained({ operand, output, kernel }: Pool, before: string[], extra: Attributes) {
  const type = dataType.float32;
  const parameter = new Float32Array(shapeSize(operand));
  const sizes = { kernel_shape: { ints: kernel }, strides: { ints: kernel } };
  const values = ['sum', ...before.map((_, index) => `v${index}`)];
  const graphs = await compileModel(
    buildModel({
      initialisers: [floatTensor('p', operand, { type, data: parameter })],
      nodes: [
        ['Add', ['x', 'p'], 'sum'],
        ...before.map((operator, i): FixtureNode => [operator, [values[i]!], values[i + 1]!]),
        ['MaxPool', [values.at(-1)!], 'y', { ...sizes, ...extra }],
      ],
      inputs: [port('x', [null, ...operand], type)],
      outputs: [port('y', [null, ...output], type)],
    }),
  );
  const data = randomValues(BATCH * shapeSize(operand), 1).map((value) => Math.round(1.4 * value));
  const fed = { x: { shape: [BATCH, ...operand], data }, p: { shape: operand, data: parameter } };
  await using predict = await nodeOnnxRuntime.load(graphs.predict);
  await using gradients = await nodeOnnxRuntime.load(graphs.gradients);
  const found = await gradients.run({
    ...fed,
    [portNames.target]: {
      shape: [BATCH, ...output],
      data: randomValues(BATCH * shapeSize(output), 2),
    },
    [portNames.weights]: { shape: [BATCH], data: new Float32Array(BATCH).fill(1 / BATCH) },
  });
  const operators = (bytes: Uint8Array) => {
    const decoded = decodeModel(bytes);
    assert.ok(decoded.ok);
    return decoded.value.graph!.node!.map(({ opType, output }) =>
      output!.length === 1 ? opType : `${opType} of ${output!.length}`,
    );
  };
  return {
    y: (await predict.run(fed)).y!.data,
    gradient: found[gradientName('p')]!.data as Float32Array,
    operators: { predict: operators(graphs.predict), gradients: operators(graphs.gradients) },
  };
}

describe('MaxPool with windows side by side', () => {
  for (const pool of tilings) {
    it(`of ${pool.kernel} has the gradient that Indices give, also at ties`, async () => {
      const tiles = await trained(pool, [], {});
      // The same windows, said in a way that is not looked into.
      const indices = await trained(pool, [], { auto_pad: { string: 'VALID' } });
      assert.ok(!tiles.operators.gradients.includes('ScatterElements'));
      assert.ok(!tiles.operators.gradients.includes('MaxPool of 2'));
      assert.ok(indices.operators.gradients.includes('ScatterElements'));
      assert.ok(indices.operators.gradients.includes('MaxPool of 2'));
      assert.ok(indices.operators.predict.includes('MaxPool'));
      assert.deepEqual(tiles.gradient, indices.gradient);
      assert.ok(tiles.gradient.some((value) => value !== 0));
    });

    it(`of ${pool.kernel} comes before a Relu, which changes nothing`, async () => {
      const moved = await trained(pool, ['Relu'], {});
      const kept = await trained(pool, ['Relu', 'Identity'], {});
      assert.deepEqual(moved.operators.predict, ['Add', 'MaxPool', 'Relu']);
      assert.deepEqual(kept.operators.predict, ['Add', 'Relu', 'Identity', 'MaxPool']);
      assert.deepEqual(moved.y, kept.y);
      assert.deepEqual(moved.gradient, kept.gradient);
      assert.ok(moved.gradient.some((value) => value !== 0));
    });
  }
});
