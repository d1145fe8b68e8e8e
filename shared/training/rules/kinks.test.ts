import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import type { OnnxTensor } from '#runtime/onnx/onnx-runtime.ts';
import { gradientName, portNames } from '../artefact-names.ts';
import type { Attributes } from '../model/attributes.ts';
import { dataType, TensorProto } from '../model/onnx-proto.ts';
import { type FloatType, floatTensor, int64Tensor } from '../model/onnx-tensor.ts';
import { buildModel, port } from '../model-fixture.ts';
import { compileModel, floats } from './rule-case.contract.ts';

const type = dataType.float32;

/** An operator at points where central differences tell nothing. */
interface Kink {
  readonly operator: string;
  readonly parameters: readonly (readonly number[])[];
  readonly constants?: readonly TensorProto[];
  readonly attributes?: Attributes;
  /** Whether all elements become one. */
  readonly isReduced?: boolean;
  readonly type?: FloatType;
  /** The gradients of the sum of the output, by parameter: what PyTorch 2.15 gives. */
  readonly gradients: readonly (readonly number[])[];
}

const kinks: readonly Kink[] = [
  {
    operator: 'Max',
    parameters: [
      [1, 2, 5],
      [1, 3, 4],
    ],
    gradients: [
      [0.5, 0, 1],
      [0.5, 1, 0],
    ],
  },
  {
    operator: 'Pow',
    parameters: [
      [0, 0, 2, 0],
      [0, 1, 0, 2],
    ],
    gradients: [
      [0, 1, 0, 0],
      [0, 0, Math.log(2), 0],
    ],
  },
  { operator: 'Pow', parameters: [[0, 3]], constants: [floats([2])], gradients: [[0, 6]] },
  { operator: 'Pow', parameters: [[0, 3]], constants: [floats([0])], gradients: [[0, 0]] },
  { operator: 'Abs', parameters: [[0, -1]], gradients: [[0, -1]] },
  {
    operator: 'Clip',
    parameters: [[-2, -1, 0, 1, 2]],
    constants: [floats([-1]), floats([1])],
    gradients: [[0, 0, 1, 0, 0]],
  },
  { operator: 'Relu', parameters: [[-1, 0, 1]], gradients: [[0, 0, 1]] },
  {
    operator: 'LeakyRelu',
    parameters: [[-1, 0, 1]],
    attributes: { alpha: { float: 0.25 } },
    type,
    gradients: [[0.25, 0.25, 1]],
  },
  {
    operator: 'PRelu',
    parameters: [
      [-1, 0, 1],
      [0.25, 0.25, 0.25],
    ],
    type,
    gradients: [
      [0.25, 0.25, 1],
      [-1, 0, 0],
    ],
  },
  { operator: 'ThresholdedRelu', parameters: [[1, 2]], type, gradients: [[0, 1]] },
  { operator: 'Selu', parameters: [[0]], type, gradients: [[1.7580993]] },
  {
    operator: 'HardSigmoid',
    parameters: [[-2, 2, 0]],
    attributes: { alpha: { float: 0.25 } },
    type,
    gradients: [[0, 0, 0.25]],
  },
  { operator: 'HardSwish', parameters: [[-3, 3, 0]], type, gradients: [[0, 1, 0.5]] },
  {
    operator: 'ReduceMax',
    parameters: [[3, 1, 3, 3]],
    isReduced: true,
    gradients: [[1 / 3, 0, 1 / 3, 1 / 3]],
  },
  {
    operator: 'ReduceMin',
    parameters: [[3, 1, 1, 3]],
    isReduced: true,
    gradients: [[0, 0.5, 0.5, 0]],
  },
  { operator: 'ReduceProd', parameters: [[2, 0, 4]], isReduced: true, gradients: [[0, 8, 0]] },
  { operator: 'ReduceProd', parameters: [[0, 0, 4]], isReduced: true, gradients: [[0, 0, 0]] },
  { operator: 'ReduceL2', parameters: [[0, 0]], isReduced: true, gradients: [[0, 0]] },
  {
    operator: 'ReduceLogSumExp',
    parameters: [[1000, 1001]],
    isReduced: true,
    gradients: [[1 / (1 + Math.E), Math.E / (1 + Math.E)]],
  },
];

/** y = x + the operator's output, in a row. */
function kinkModel(kink: Kink, size: number): Uint8Array<ArrayBuffer> {
  const { operator, parameters, constants = [], attributes = {}, isReduced } = kink;
  const { type = dataType.float64 } = kink;
  const tensors = [
    ...parameters.map((data, i) => floatTensor(`p${i}`, [data.length], { type, data })),
    ...constants.map((constant, i) => TensorProto.create({ ...constant, name: `c${i}` })),
  ];
  const kept: Attributes = isReduced ? { keepdims: { int: 0 } } : {};
  return buildModel({
    initialisers: [...tensors, int64Tensor('row', [2], [1, -1])],
    nodes: [
      [operator, tensors.map(({ name }) => name), 'z', { ...attributes, ...kept }],
      ['Reshape', ['z', 'row'], 'z row'],
      ['Add', ['z row', 'x'], 'y'],
    ],
    inputs: [port('x', [null, size], type)],
    outputs: [port('y', [null, size], type)],
  });
}

async function gradientsOfSum(kink: Kink): Promise<number[][]> {
  const { parameters, isReduced } = kink;
  const size = isReduced ? 1 : parameters[0]!.length;
  const graphs = await compileModel(kinkModel(kink, size));
  const tensor = (shape: readonly number[], values: readonly number[]): OnnxTensor => ({
    shape,
    data: kink.type === type ? Float32Array.from(values) : Float64Array.from(values),
  });
  const feeds: Record<string, OnnxTensor> = { x: tensor([1, size], Array(size).fill(0)) };
  for (const [i, values] of parameters.entries()) feeds[`p${i}`] = tensor([values.length], values);
  await using predict = await nodeOnnxRuntime.load(graphs.predict);
  const y = Array.from((await predict.run(feeds)).y!.data, Number);
  await using session = await nodeOnnxRuntime.load(graphs.gradients);
  const found = await session.run({
    ...feeds,
    // The loss, a mean of squares, has the slope 1 by each output here.
    [portNames.target]: tensor(
      [1, size],
      y.map((value) => value - 0.5),
    ),
    [portNames.weights]: tensor([1], [size]),
  });
  return parameters.map((_, i) => Array.from(found[gradientName(`p${i}`)]!.data, Number));
}

describe('rules at kinks and ties', () => {
  for (const kink of kinks) {
    const points = kink.parameters.map((values) => `[${values}]`).join(' ');
    it(`${kink.operator} at ${points} as PyTorch`, async () => {
      const found = await gradientsOfSum(kink);
      for (const [i, expected] of kink.gradients.entries()) {
        for (const [j, slope] of expected.entries()) {
          const actual = found[i]![j]!;
          assert.ok(Math.abs(actual - slope) < 1e-6, `by input ${i}, place ${j}: ${actual}`);
        }
      }
    });
  }
});
