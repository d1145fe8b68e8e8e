import { describe } from 'node:test';
import { dataType } from '../model/onnx-proto.ts';
import { batchNormalisationRules } from './batch-normalisation.ts';
import { normalisationRules } from './normalisation.ts';
import { checkRules, floats, type RuleCase } from './rule-case.contract.ts';

const float32 = { type: dataType.float32, tolerance: 4e-3 };
const shape = [3, 4, 5];

const layers = [
  { operator: 'LayerNormalization', opsets: [17, 26] },
  // An operator of the runtime's own, which it takes in any operator set.
  { operator: 'SimplifiedLayerNormalization', opsets: [13, 26] },
  { operator: 'RMSNormalization', opsets: [23, 26] },
].flatMap((operator): RuleCase[] => [
  { ...operator, inputs: [shape, [5]], outputs: [shape] },
  {
    ...operator,
    inputs: [shape, [4, 5]],
    outputs: [shape],
    attributes: { axis: { int: 1 }, epsilon: { float: 0.1 } },
    isBatched: true,
  },
]);

const layersWithShift: readonly RuleCase[] = [
  {
    operator: 'LayerNormalization',
    inputs: [shape, [5], [5]],
    outputs: [shape],
    opsets: [17, 26],
  },
  {
    operator: 'LayerNormalization',
    inputs: [shape, [1, 5], [4, 1]],
    outputs: [shape],
    attributes: { axis: { int: -2 } },
    opsets: [17, 26],
  },
];

const images = [
  [3, 4, 5],
  [3, 4, 3, 4],
];

const perInstance = images.map((image) => ({
  operator: 'InstanceNormalization',
  inputs: [image, [4], [4]],
  outputs: [image],
  attributes: { epsilon: { float: 0.1 } },
  isBatched: true,
  ...float32,
}));

const perGroup = images.flatMap((image) =>
  [
    { opsets: [18], size: 2 },
    { opsets: [21, 26], size: 4 },
  ].map(({ opsets, size }) => ({
    operator: 'GroupNormalization',
    inputs: [image, [size], [size]],
    outputs: [image],
    attributes: { num_groups: { int: 2 }, epsilon: { float: 0.1 } },
    isBatched: true,
    opsets,
    ...float32,
  })),
);

describe('gradients of normalisation of each example', () => {
  checkRules(normalisationRules, [...layers, ...layersWithShift, ...perInstance, ...perGroup]);
});

describe('gradients of normalisation of a batch', () => {
  const mean = floats([0.3, -0.2, 0.1, 0.5], { shape: [4] });
  const variance = floats([0.5, 1, 2, 0.3], { shape: [4] });
  checkRules(
    batchNormalisationRules,
    [[3, 4], ...images].flatMap((image): RuleCase[] => {
      const operator = 'BatchNormalization';
      const inputs = [image, [4], [4], mean, variance];
      return [
        {
          operator,
          inputs,
          outputs: [image],
          attributes: { epsilon: { float: 0.01 } },
          isBatched: true,
        },
        {
          operator,
          inputs,
          outputs: [image, null, null],
          attributes: { training_mode: { int: 1 }, epsilon: { float: 0.01 } },
          opsets: [14, 26],
          isBatched: true,
        },
      ];
    }),
  );
});
