import { describe } from 'node:test';
import type { Attributes } from '../model/attributes.ts';
import { dataType } from '../model/onnx-proto.ts';
import { activationRules } from './activation.ts';
import { checkRules, type RuleCase } from './rule-case.contract.ts';

const type = dataType.float32;

/** On values up to 2, off the kinks. */
function activation(
  operator: string,
  attributes: Attributes,
  others: Partial<RuleCase> = {},
): RuleCase {
  const shape = { inputs: [[3, 5]], outputs: [[3, 5]] };
  return { operator, ...shape, attributes, type, range: [-2, 2], kinks: [0], ...others };
}

const slopes = [[5], [3, 1], [1], [3, 5]];

describe('rules for activations', () => {
  checkRules(activationRules, [
    activation('Relu', {}, { type: dataType.float64 }),
    activation('Relu', {}, { type: dataType.float64, isBatched: true }),
    activation('Sigmoid', {}, { type: dataType.float64 }),
    activation('LeakyRelu', {}),
    activation('LeakyRelu', { alpha: { float: 0.3 } }),
    ...slopes.map((slope) => activation('PRelu', {}, { inputs: [[3, 5], slope] })),
    ...['Elu', 'Selu', 'Celu'].flatMap((operator) => [
      activation(operator, {}),
      activation(operator, { alpha: { float: 0.7 } }),
    ]),
    activation('Selu', { gamma: { float: 1.4 } }),
    activation('HardSigmoid', {}, { range: [-4, 4], kinks: [-2.5, 2.5] }),
    activation(
      'HardSigmoid',
      { alpha: { float: 0.5 }, beta: { float: 0.4 } },
      { kinks: [-0.8, 1.2] },
    ),
    activation('HardSwish', {}, { range: [-5, 5], kinks: [-3, 3], opsets: [14, 26] }),
    activation('Softplus', {}),
    activation('Softsign', {}),
    activation('Mish', {}, { opsets: [18, 26] }),
    activation('Gelu', {}, { opsets: [20, 26] }),
    activation('Gelu', { approximate: { string: 'tanh' } }, { opsets: [20, 26] }),
    activation('ThresholdedRelu', {}, { kinks: [1] }),
    activation('ThresholdedRelu', { alpha: { float: 0.5 } }, { kinks: [0.5] }),
  ]);
});
