import { describe } from 'node:test';
import { checkRules, floats, int64s, type RuleCase } from './rule-case.contract.ts';
import { softmaxRules } from './softmax.ts';

const shape = [3, 4, 5];

const alongAxis = ['Softmax', 'LogSoftmax'].flatMap((operator): RuleCase[] =>
  [undefined, 1, -2, 0].map((axis) => ({
    operator,
    inputs: [shape],
    outputs: [shape],
    ...(axis === undefined ? {} : { attributes: { axis: { int: axis } } }),
  })),
);

const labels = int64s([2, 0, 1, 2]);
const pixels = int64s([2, 0, 1, 2, 1, 1, 0, 2, 2, 0, 0, 1], [3, 4]);
const weights = floats([0.5, 2, 1], { shape: [3] });

const losses = ['none', 'sum', 'mean'].flatMap((reduction): RuleCase[] =>
  [false, true].flatMap((isWeighted) =>
    [undefined, 2].map((ignored) => ({
      operator: 'SoftmaxCrossEntropyLoss',
      title: isWeighted ? 'weighted' : '',
      inputs: isWeighted ? [[4, 3], labels, weights] : [[4, 3], labels],
      outputs: [reduction === 'none' ? [4] : []],
      attributes: {
        reduction: { string: reduction },
        ...(ignored === undefined ? {} : { ignore_index: { int: ignored } }),
      },
    })),
  ),
);

describe('gradients of softmax and of the loss made of it', () => {
  checkRules(softmaxRules, [
    ...alongAxis,
    ...losses,
    {
      operator: 'SoftmaxCrossEntropyLoss',
      inputs: [[3, 3, 4], pixels, weights],
      outputs: [[3, 4]],
      attributes: { reduction: { string: 'none' }, ignore_index: { int: 1 } },
    },
    {
      operator: 'SoftmaxCrossEntropyLoss',
      title: 'and its logarithms',
      inputs: [[4, 3], labels],
      outputs: [[], [4, 3]],
    },
    {
      operator: 'SoftmaxCrossEntropyLoss',
      title: 'of which only the logarithms are read',
      inputs: [[4, 3], labels],
      outputs: [null, [4, 3]],
    },
  ]);
});
