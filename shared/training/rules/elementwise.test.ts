import { describe } from 'node:test';
import { dataType } from '../model/onnx-proto.ts';
import { elementwiseRules } from './elementwise.ts';
import { booleans, checkRules, floats, int64s, type RuleCase } from './rule-case.contract.ts';

const newest = { opsets: [26] } as const;
const type = dataType.float32;

/** a, b, and what they broadcast to. */
const pairs = [
  [
    [3, 4],
    [3, 4],
    [3, 4],
  ],
  [[3, 4], [4], [3, 4]],
  [
    [3, 1],
    [2, 3, 4],
    [2, 3, 4],
  ],
  [
    [3, 1],
    [1, 4],
    [3, 4],
  ],
] as const;

function binary(operator: string, others: Partial<RuleCase> = {}): RuleCase[] {
  return pairs.map(([a, b, y]) => ({ operator, inputs: [a, b], outputs: [y], ...others }));
}

const positive = { range: [0.5, 2] } as const;

describe('rules for arithmetic', () => {
  checkRules(elementwiseRules, [
    ...['Add', 'Sub', 'Mul', 'Sum', 'Max', 'Min'].flatMap((operator) => binary(operator)),
    ...['Div', 'Pow'].flatMap((operator) => binary(operator, positive)),
    ...binary('Mean', { type }),
    ...['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min'].map((operator) => ({
      operator,
      inputs: [[3, 4], [4]],
      outputs: [[3, 4]],
      isBatched: true,
    })),
    ...['Sum', 'Max', 'Min', 'Mean'].map((operator) => ({
      operator,
      inputs: [[3, 4], [4], [2, 3, 1]],
      outputs: [[2, 3, 4]],
      ...(operator === 'Mean' && { type }),
    })),
    { operator: 'Max', inputs: [[3, 4]], outputs: [[3, 4]], ...newest },
    { operator: 'Max', inputs: [[3, 4], floats([0.1])], outputs: [[3, 4]] },
    { operator: 'Pow', inputs: [[3, 4], floats([2])], outputs: [[3, 4]], title: 'squared' },
    { operator: 'Pow', inputs: [[3, 4], floats([3])], outputs: [[3, 4]], title: 'cubed' },
    { operator: 'Pow', inputs: [[3, 4], int64s([3])], outputs: [[3, 4]], title: 'int64 exponent' },
    { operator: 'Pow', inputs: [floats([2]), [3, 4]], outputs: [[3, 4]], title: 'scalar base' },
    {
      operator: 'Where',
      inputs: [booleans([true, false, true]), [2, 3], [1]],
      outputs: [[2, 3]],
    },
    {
      operator: 'Where',
      inputs: [booleans([true, false], [2, 1]), [3], [2, 3]],
      outputs: [[2, 3]],
    },
  ]);
});
