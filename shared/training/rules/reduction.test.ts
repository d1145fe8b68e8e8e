import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkGradients } from '../gradient.contract.ts';
import type { Attributes } from '../model/attributes.ts';
import { buildModel, port, randomTensor } from '../model-fixture.ts';
import { reductionRules } from './reduction.ts';
import { checkRules, compileModel, int64s, type RuleCase } from './rule-case.contract.ts';

/** The axes reduced, whether they are kept, and what is left of [2, 3, 4]. */
const variants: readonly [number[] | undefined, number | undefined, number[]][] = [
  [[1], undefined, [2, 1, 4]],
  [[-1, 0], 0, [3]],
  [[1], 0, [2, 4]],
  [undefined, undefined, [1, 1, 1]],
  [undefined, 0, []],
];

const operators = reductionRules.map(({ operator }) => operator);
const range = [0.2, 1.5] as const;

/** Axes as an attribute, up to the last operator set that has them so, and as an input. */
const cases = operators.flatMap((operator) =>
  variants.flatMap(([axes, keepdims, output]): RuleCase[] => {
    const kept: Attributes = keepdims === undefined ? {} : { keepdims: { int: keepdims } };
    const shared = { operator, outputs: [output], range };
    const asInput: RuleCase = {
      ...shared,
      inputs: axes === undefined ? [[2, 3, 4]] : [[2, 3, 4], int64s(axes)],
      attributes: kept,
      opsets: operator === 'ReduceSum' ? [13, 26] : [18, 26],
    };
    if (operator === 'ReduceSum') return [asInput];
    const given: Attributes = axes === undefined ? {} : { axes: { ints: axes } };
    const attributes = { ...kept, ...given };
    return [asInput, { ...shared, inputs: [[2, 3, 4]], attributes, opsets: [13, 17] }];
  }),
);

describe('rules for reductions', () => {
  checkRules(reductionRules, [
    ...cases,
    ...operators
      .filter((operator) => operator !== 'ReduceLogSum')
      .map((operator) => ({
        operator,
        inputs: [[3, 2, 4], int64s([2])],
        outputs: [[3, 2]],
        attributes: { keepdims: { int: 0 } },
        isBatched: true,
        opsets: [18],
        range,
      })),
    ...operators.map((operator) => ({
      operator,
      inputs: [[2, 3]],
      outputs: [[2, 3]],
      attributes: { noop_with_empty_axes: { int: 1 } },
      opsets: [18],
      range,
    })),
  ]);

  it('find their axes in a Constant node', async () => {
    const graphs = await compileModel(
      buildModel({
        nodes: [
          ['Constant', [], 'axes', { value_ints: { ints: [-1] } }],
          ['ReduceMean', ['p', 'axes'], 'mean', { keepdims: { int: 0 } }],
          ['Mul', ['x', 'mean'], 'y'],
        ],
        initialisers: [randomTensor('p', [3, 2], { seed: 1 })],
        inputs: [port('x', [null, 3])],
        outputs: [port('y', [null, 3])],
      }),
    );
    const { differenceError } = await checkGradients(graphs, 4);
    assert.ok(differenceError < 1e-7, `${differenceError}`);
  });
});
