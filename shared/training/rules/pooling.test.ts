import { describe } from 'node:test';
import type { Attributes } from '../model/attributes.ts';
import { dataType } from '../model/onnx-proto.ts';
import { poolingRules } from './pooling.ts';
import { checkRules, type RuleCase } from './rule-case.contract.ts';

const float32 = { type: dataType.float32, tolerance: 2e-5, step: 0.25 };
const ints = (...values: number[]) => ({ ints: values });
const one = { int: 1 };

interface PoolCase {
  readonly operand: readonly number[];
  readonly output: readonly number[];
  readonly attributes: Attributes;
}

const pools: readonly PoolCase[] = [
  {
    operand: [3, 2, 7],
    output: [3, 2, 3],
    attributes: { kernel_shape: ints(2), strides: ints(2) },
  },
  {
    operand: [3, 2, 6, 6],
    output: [3, 2, 3, 3],
    attributes: { kernel_shape: ints(2, 2), strides: ints(2, 2) },
  },
  {
    operand: [3, 2, 6, 7],
    output: [3, 2, 3, 4],
    attributes: { kernel_shape: ints(3, 3), strides: ints(2, 2), pads: ints(1, 1, 1, 1) },
  },
  { operand: [3, 2, 4, 5], output: [3, 2, 3, 3], attributes: { kernel_shape: ints(2, 3) } },
  {
    operand: [3, 2, 6, 5],
    output: [3, 2, 3, 3],
    attributes: { kernel_shape: ints(3, 2), strides: ints(2, 2), ceil_mode: one },
  },
  {
    operand: [3, 2, 6, 6],
    output: [3, 2, 3, 4],
    attributes: {
      kernel_shape: ints(3, 2),
      strides: ints(2, 2),
      pads: ints(0, 1, 1, 1),
      ceil_mode: one,
    },
  },
  {
    operand: [3, 2, 5, 5],
    output: [3, 2, 3, 3],
    attributes: {
      kernel_shape: ints(2, 3),
      strides: ints(2, 2),
      auto_pad: { string: 'SAME_UPPER' },
    },
  },
  {
    operand: [3, 2, 5, 6],
    output: [3, 2, 5, 6],
    attributes: { kernel_shape: ints(2, 2), auto_pad: { string: 'SAME_LOWER' } },
  },
  {
    operand: [2, 2, 4, 3, 5],
    output: [2, 2, 2, 2, 2],
    attributes: { kernel_shape: ints(2, 2, 3), strides: ints(2, 1, 2) },
  },
];

const dilated: PoolCase = {
  operand: [3, 2, 7, 6],
  output: [3, 2, 3, 4],
  attributes: { kernel_shape: ints(3, 2), dilations: ints(2, 2) },
};

function poolCase(operator: string, { operand, output, attributes }: PoolCase): RuleCase {
  return { operator, inputs: [operand], outputs: [output], attributes, isBatched: true };
}

const averagePools = [0, 1].flatMap((counted) =>
  pools.map((pool) => {
    const attributes = { ...pool.attributes, count_include_pad: { int: counted } };
    return { ...poolCase('AveragePool', { ...pool, attributes }), ...float32 };
  }),
);

const globalPools = [
  [3, 4, 5],
  [3, 2, 3, 4],
  [3, 2, 2, 3, 2],
].flatMap((operand) => {
  const output = operand.map((size, axis) => (axis < 2 ? size : 1));
  const pool = { operand, output, attributes: {} };
  return [
    { ...poolCase('GlobalAveragePool', pool), ...float32 },
    // A short step: a longer one changes which element is the largest.
    { ...poolCase('GlobalMaxPool', pool), type: dataType.float32, step: 0.01, tolerance: 1e-3 },
  ];
});

describe('gradients of pools', () => {
  checkRules(poolingRules, [
    ...[...pools, dilated].map((pool) => poolCase('MaxPool', pool)),
    // In float32 windows side by side have a gradient of their own; see max-pool.test.ts.
    ...pools.slice(0, 2).map((pool) => ({
      ...poolCase('MaxPool', pool),
      ...{ type: dataType.float32, step: 0.01, tolerance: 1e-3 },
    })),
    ...averagePools,
    { ...poolCase('AveragePool', dilated), opsets: [19, 26], ...float32 },
    ...globalPools,
  ]);
});
