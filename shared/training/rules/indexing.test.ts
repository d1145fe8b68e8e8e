import { describe } from 'node:test';
import type { Attributes } from '../model/attributes.ts';
import { indexingRules } from './indexing.ts';
import { checkRules, int32s, int64s, type RuleCase } from './rule-case.contract.ts';

const axis = (int: number) => ({ axis: { int } });
const scalar = (index: number) => int64s([index], []);

const gathers: readonly RuleCase[] = [
  { inputs: [[4, 3], int64s([2, 0, 2])], outputs: [[3, 3]] },
  { inputs: [[4, 3], int32s([3, -1])], outputs: [[2, 3]], title: 'int32, from the end' },
  {
    inputs: [[2, 3, 4], int64s([1, 1, 0, 2], [2, 2])],
    outputs: [[2, 2, 2, 4]],
    attributes: axis(1),
  },
  { inputs: [[2, 3, 4], int64s([1, 1, 0], [1, 3])], outputs: [[2, 3, 1, 3]], attributes: axis(-1) },
  { inputs: [[2, 3, 4], scalar(-1)], outputs: [[2, 4]], attributes: axis(1), title: 'one' },
  { inputs: [[3, 4], scalar(1)], outputs: [[4]], title: 'one' },
  { inputs: [[3, 4, 2], scalar(-1)], outputs: [[3, 2]], attributes: axis(1), isBatched: true },
  { inputs: [[3, 4], int64s([1, 1])], outputs: [[3, 2]], attributes: axis(1), isBatched: true },
].map((gather) => ({ operator: 'Gather', ...gather }));

const scatters: readonly RuleCase[] = ['none', 'add'].flatMap((reduction) => {
  const opsets = reduction === 'add' ? [16, 26] : [13, 26];
  const attributes: Attributes = reduction === 'add' ? { reduction: { string: 'add' } } : {};
  const repeated = reduction === 'add' ? 2 : 0;
  return [
    {
      operator: 'ScatterElements',
      inputs: [[3, 4], int64s([2, 1, repeated, 0], [2, 2]), [2, 2]],
      outputs: [[3, 4]],
      attributes,
      opsets,
    },
    {
      operator: 'ScatterElements',
      inputs: [[3, 4], int32s([3, -4], [1, 2]), [1, 2]],
      outputs: [[3, 4]],
      attributes: { ...attributes, ...axis(1) },
      opsets,
    },
    {
      operator: 'ScatterND',
      inputs: [[4, 3], int64s([2, repeated], [2, 1]), [2, 3]],
      outputs: [[4, 3]],
      attributes,
      opsets,
    },
    {
      operator: 'ScatterND',
      inputs: [[4, 3], int64s([0, 1, 3, 2], [2, 2]), [2]],
      outputs: [[4, 3]],
      attributes,
      opsets,
    },
  ];
});

describe('rules for indexing', () => {
  checkRules(indexingRules, [
    ...gathers,
    ...scatters,
    {
      operator: 'GatherElements',
      inputs: [[3, 4], int64s([2, 0, 2, 1], [1, 4])],
      outputs: [[1, 4]],
    },
    {
      operator: 'GatherElements',
      inputs: [[2, 3], int32s([2, 2, -1, 0, 1, 1, 0, 0], [2, 4])],
      outputs: [[2, 4]],
      attributes: axis(1),
    },
    { operator: 'GatherND', inputs: [[3, 4], int64s([1, 2, 1, 2, 0, 0], [3, 2])], outputs: [[3]] },
    { operator: 'GatherND', inputs: [[3, 4], int64s([2, -1, 2], [3, 1])], outputs: [[3, 4]] },
    {
      operator: 'GatherND',
      inputs: [[2, 3, 4], int64s([1, 1, 0, 2, 2, 2], [2, 3, 1])],
      outputs: [[2, 3, 4]],
      attributes: { batch_dims: { int: 1 } },
    },
    ...[undefined, 0].flatMap((given) => ({
      operator: 'TopK',
      inputs: [[4, 5], int64s([2])],
      outputs: [given === 0 ? [2, 5] : [4, 2], null],
      attributes: given === undefined ? {} : { ...axis(given), largest: { int: 0 } },
    })),
    {
      operator: 'TopK',
      inputs: [[3, 5], int64s([2])],
      outputs: [[3, 2], null],
      isBatched: true,
    },
    ...[0, 1].flatMap((exclusive) =>
      [0, 1].map((reverse) => ({
        operator: 'CumSum',
        inputs: [[3, 4], exclusive ? scalar(-1) : int32s([0], [])],
        outputs: [[3, 4]],
        attributes: { exclusive: { int: exclusive }, reverse: { int: reverse } },
      })),
    ),
    ...[0, 1].map((upper) => ({
      operator: 'Trilu',
      inputs: [[2, 3, 4], ...(upper ? [scalar(-1)] : [])],
      outputs: [[2, 3, 4]],
      attributes: { upper: { int: upper } },
      opsets: [14, 26],
    })),
  ]);
});
