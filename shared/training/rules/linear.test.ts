import { describe } from 'node:test';
import { linearRules } from './linear.ts';
import { checkRules, type RuleCase } from './rule-case.contract.ts';

const gemmCases: readonly RuleCase[] = [0, 1].flatMap((transA) =>
  [0, 1].map((transB) => ({
    operator: 'Gemm',
    // Square where a transpose could be forgotten without the shapes telling, oblong elsewhere.
    inputs:
      transA === transB
        ? [[3, 3], [3, 3], [3]]
        : [transA ? [4, 3] : [3, 4], transB ? [5, 4] : [4, 5], [5]],
    outputs: [transA === transB ? [3, 3] : [3, 5]],
    attributes: {
      transA: { int: transA },
      transB: { int: transB },
      alpha: { float: 0.5 },
      beta: { float: 2 },
    },
  })),
);

const biases = [[], [[1]], [[1, 5]], [[3, 1]], [[3, 5]]];

/** A, B, and their product. */
const products = [
  [
    [3, 4],
    [4, 5],
    [3, 5],
  ],
  [
    [3, 3],
    [3, 3],
    [3, 3],
  ],
  [
    [2, 3, 4],
    [2, 4, 5],
    [2, 3, 5],
  ],
  [
    [2, 3, 3],
    [3, 3],
    [2, 3, 3],
  ],
  [
    [3, 4],
    [2, 4, 5],
    [2, 3, 5],
  ],
  [
    [2, 1, 3, 4],
    [3, 4, 2],
    [2, 3, 3, 2],
  ],
  [[4], [4, 5], [5]],
  [[3, 4], [4], [3]],
  [[4], [2, 4, 5], [2, 5]],
  [[2, 3, 4], [4], [2, 3]],
  [[4], [4], []],
] as const;

describe('rules for products', () => {
  checkRules(linearRules, [
    ...gemmCases,
    ...biases.map((bias) => ({
      operator: 'Gemm',
      inputs: [[3, 4], [4, 5], ...bias],
      outputs: [[3, 5]],
    })),
    ...products.map(([a, b, y]) => ({ operator: 'MatMul', inputs: [a, b], outputs: [y] })),
    {
      operator: 'MatMul',
      inputs: [
        [3, 2, 4],
        [4, 5],
      ],
      outputs: [[3, 2, 5]],
      isBatched: true,
    },
  ]);
});
