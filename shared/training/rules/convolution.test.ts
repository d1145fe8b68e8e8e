import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkGradients } from '../gradient.contract.ts';
import type { Attributes } from '../model/attributes.ts';
import { dataType } from '../model/onnx-proto.ts';
import { buildModel, port, randomTensor } from '../model-fixture.ts';
import { convolutionRules } from './convolution.ts';
import { checkRules, compileModel } from './rule-case.contract.ts';

// The runtime convolves in float32 only. The loss is quadratic in each parameter, so that the long
// step, which rounding asks for, does no harm.
const float32 = { type: dataType.float32, tolerance: 2e-5, step: 0.25 };

interface ConvolutionCase {
  readonly operands: readonly (readonly number[])[];
  readonly output: readonly number[];
  readonly attributes?: Attributes;
}

const ints = (...values: number[]) => ({ ints: values });
const text = (value: string) => ({ string: value });

const conv: readonly ConvolutionCase[] = [
  { operands: [[3, 2, 7], [4, 2, 3], [4]], output: [3, 4, 5] },
  { operands: [[3, 2, 7], [4, 2, 1], [4]], output: [3, 4, 7] },
  {
    operands: [
      [3, 2, 8],
      [4, 2, 3],
    ],
    output: [3, 4, 4],
    attributes: { strides: ints(2), pads: ints(1, 0) },
  },
  { operands: [[3, 2, 5, 6], [3, 2, 3, 2], [3]], output: [3, 3, 3, 5] },
  {
    operands: [[3, 2, 5, 6], [3, 2, 3, 3], [3]],
    output: [3, 3, 5, 6],
    attributes: { pads: ints(1, 1, 1, 1) },
  },
  {
    operands: [[3, 2, 5, 6], [3, 2, 2, 3], [3]],
    output: [3, 3, 6, 4],
    attributes: { pads: ints(2, 0, 1, 2), dilations: ints(2, 2) },
  },
  {
    // Three columns on the right are in no window, and one row below.
    operands: [[3, 2, 6, 9], [4, 2, 2, 2], [4]],
    output: [3, 4, 2, 2],
    attributes: { strides: ints(3, 4), dilations: ints(1, 1), pads: ints(0, 0, 0, 0) },
  },
  {
    operands: [[3, 4, 6, 6], [6, 2, 3, 3], [6]],
    output: [3, 6, 3, 3],
    attributes: {
      group: { int: 2 },
      strides: ints(2, 2),
      pads: ints(1, 1, 1, 1),
      dilations: ints(1, 1),
    },
  },
  {
    operands: [[3, 4, 5, 4], [6, 2, 3, 2], [6]],
    output: [3, 6, 3, 3],
    attributes: { group: { int: 2 } },
  },
  {
    operands: [[3, 4, 5, 5], [4, 1, 3, 3], [4]],
    output: [3, 4, 5, 5],
    attributes: { group: { int: 4 }, pads: ints(1, 1, 1, 1) },
  },
  ...['SAME_UPPER', 'SAME_LOWER'].flatMap((mode): ConvolutionCase[] => [
    {
      operands: [[3, 2, 5, 6], [3, 2, 2, 4], [3]],
      output: [3, 3, 5, 6],
      attributes: { auto_pad: text(mode) },
    },
    {
      operands: [[3, 2, 5, 8], [3, 2, 2, 3], [3]],
      output: [3, 3, 3, 4],
      attributes: { auto_pad: text(mode), strides: ints(2, 2) },
    },
  ]),
  {
    operands: [[3, 2, 5, 6], [3, 2, 2, 3], [3]],
    output: [3, 3, 4, 2],
    attributes: { auto_pad: text('VALID'), strides: ints(1, 2) },
  },
  {
    operands: [[2, 2, 4, 5, 3], [3, 2, 2, 3, 2], [3]],
    output: [2, 3, 3, 3, 4],
    attributes: { pads: ints(0, 0, 1, 0, 0, 1) },
  },
  {
    operands: [[2, 2, 4, 5, 5], [2, 1, 2, 3, 2], [2]],
    output: [2, 2, 2, 2, 3],
    attributes: { group: { int: 2 }, strides: ints(2, 2, 2), pads: ints(0, 0, 1, 0, 0, 0) },
  },
];

const convTranspose: readonly ConvolutionCase[] = [
  { operands: [[3, 2, 4], [2, 3, 3], [3]], output: [3, 3, 6] },
  {
    operands: [
      [3, 2, 4],
      [2, 3, 3],
    ],
    output: [3, 3, 8],
    attributes: { strides: ints(2), pads: ints(1, 0), output_padding: ints(0) },
  },
  {
    operands: [[3, 2, 3, 4], [2, 3, 3, 3], [3]],
    output: [3, 3, 6, 8],
    attributes: { strides: ints(2, 2), pads: ints(1, 1, 1, 1), output_padding: ints(1, 1) },
  },
  {
    operands: [[3, 4, 3, 4], [4, 3, 2, 3], [6]],
    output: [3, 6, 4, 6],
    attributes: { group: { int: 2 } },
  },
  {
    operands: [[3, 4, 3, 3], [4, 2, 2, 3], [4]],
    output: [3, 4, 7, 9],
    attributes: { group: { int: 2 }, strides: ints(2, 2), dilations: ints(2, 2) },
  },
  ...['SAME_UPPER', 'SAME_LOWER'].map((mode) => ({
    operands: [[3, 2, 3, 4], [2, 3, 3, 5], [3]],
    output: [3, 3, 6, 8],
    attributes: { auto_pad: text(mode), strides: ints(2, 2) },
  })),
  {
    operands: [[3, 2, 3, 4], [2, 3, 3, 4], [3]],
    output: [3, 3, 6, 9],
    attributes: { output_shape: ints(6, 9), strides: ints(2, 2) },
  },
  {
    operands: [[3, 2, 3, 4], [2, 3, 4, 4], [3]],
    output: [3, 3, 6, 8],
    attributes: { output_shape: ints(6, 8), output_padding: ints(1, 1), strides: ints(2, 2) },
  },
  {
    operands: [[2, 2, 2, 3, 2], [2, 3, 2, 2, 3], [3]],
    output: [2, 3, 4, 6, 5],
    attributes: { strides: ints(2, 2, 2) },
  },
];

describe('gradients of convolutions', () => {
  const caseOf = ({ operands, output, attributes = {} }: ConvolutionCase) => ({
    inputs: operands,
    outputs: [output],
    attributes,
    isBatched: true,
    ...float32,
  });
  checkRules(convolutionRules, [
    ...conv.map((convCase) => ({ operator: 'Conv', ...caseOf(convCase) })),
    ...convTranspose.map((convCase) => ({ operator: 'ConvTranspose', ...caseOf(convCase) })),
  ]);
});

describe('the gradient of a convolution over an axis of any length', () => {
  const { type } = float32;
  const attributes = { pads: ints(2, 1), dilations: ints(2) };
  const strided = { ...attributes, pads: ints(1, 2), strides: ints(3) };
  // There are more windows than in the cases above, and so more is rounded.
  const tolerance = 1e-4;
  const models: Readonly<Record<string, [operator: string, group: number, Attributes]>> = {
    'in 1 group': ['Conv', 1, attributes],
    'in 2 groups': ['Conv', 2, attributes],
    'with a stride': ['Conv', 1, strided],
    'with a stride, in 2 groups': ['Conv', 2, strided],
    'that is transposed': ['ConvTranspose', 1, { ...strided, output_padding: ints(2) }],
  };
  for (const [title, [operator, group, others]] of Object.entries(models)) {
    it(title, async () => {
      const options = { ...others, group: { int: group } };
      const model = buildModel({
        nodes: [
          [operator, ['x', 'w1'], 'h', options],
          [operator, ['h', 'w2'], 'c', options],
          ['GlobalAveragePool', ['c'], 'm'],
          ['Flatten', ['m'], 'y'],
        ],
        initialisers: ['w1', 'w2'].map((name, seed) =>
          randomTensor(name, [4, 4 / group, 3], { seed: seed + 1, type }),
        ),
        inputs: [port('x', [null, 4, null], type)],
        outputs: [port('y', [null, 4], type)],
      });
      const graphs = await compileModel(model);
      for (const size of [9, 10, 11, 12]) {
        const check = await checkGradients(graphs, size, float32.step);
        assert.equal(check.magnitudes.size, 2);
        assert.ok(check.differenceError < tolerance, `${size}: ${check.differenceError}`);
        assert.ok(check.adjointError < tolerance, `${size}: ${check.adjointError}`);
      }
    });
  }
});
