import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkGradients } from '../gradient.contract.ts';
import { dataType } from '../model/onnx-proto.ts';
import { floatTensor, int64Tensor } from '../model/onnx-tensor.ts';
import { buildModel, type FixtureNode, port, randomTensor } from '../model-fixture.ts';
import { resizeRules } from './resize.ts';
import { checkRules, compileModel, floats, int64s, type RuleCase } from './rule-case.contract.ts';

const type = dataType.float32;
const scales = (values: readonly number[]) => floats(values, { shape: [values.length], type });
const text = (value: string) => ({ string: value });

const modes: readonly [string, Record<string, { string: string }>][] = [
  ['nearest', {}],
  ['nearest', { coordinate_transformation_mode: text('asymmetric'), nearest_mode: text('floor') }],
  ['linear', {}],
  ['linear', { coordinate_transformation_mode: text('align_corners') }],
  ['linear', { coordinate_transformation_mode: text('pytorch_half_pixel') }],
  ['cubic', {}],
];

describe('rules for resizing', () => {
  checkRules(
    resizeRules,
    modes.flatMap(([mode, others]): RuleCase[] => {
      const attributes = { mode: text(mode), ...others };
      const shared = { operator: 'Resize', attributes, type };
      return [
        {
          ...shared,
          inputs: [[2, 2, 3, 4], '', scales([1, 1, 2, 1.5])],
          outputs: [[2, 2, 6, 6]],
          title: 'scaled up',
        },
        {
          ...shared,
          inputs: [[2, 1, 5, 6], '', '', int64s([2, 1, 3, 9])],
          outputs: [[2, 1, 3, 9]],
          title: 'down and up',
        },
        {
          ...shared,
          inputs: [[3, 1, 2, 3], '', scales([1, 1, 3, 2])],
          outputs: [[3, 1, 6, 6]],
          isBatched: true,
        },
      ];
    }),
  );
});

describe('the gradient of resizing an image of any size', () => {
  const factors = [1, 1, 2, 3];
  const linear = { mode: text('linear') };
  const ways: Readonly<Record<string, readonly FixtureNode[]>> = {
    'by factors': [['Resize', ['h', '', 'scales'], 'r', linear]],
    'by factors that are worked out': [
      ['Identity', ['scales'], 'same'],
      ['Resize', ['h', '', 'same'], 'r', linear],
    ],
    'to a size that is worked out': [
      ['Shape', ['h'], 'from'],
      ['Mul', ['from', 'factors'], 'to'],
      ['Resize', ['h', '', '', 'to'], 'r', linear],
    ],
  };
  for (const [title, nodes] of Object.entries(ways)) {
    it(title, async () => {
      const model = buildModel({
        nodes: [
          ['Mul', ['x', 'p'], 'h'],
          ...nodes,
          ['GlobalAveragePool', ['r'], 'm'],
          ['Flatten', ['m'], 'y'],
        ],
        initialisers: [
          randomTensor('p', [2, 1, 1], { seed: 1, type }),
          floatTensor('scales', [4], { type, data: factors }),
          int64Tensor('factors', [4], factors),
        ],
        inputs: [port('x', [null, 2, null, null], type)],
        outputs: [port('y', [null, 2], type)],
      });
      const check = await checkGradients(await compileModel(model), 4, 0.25);
      assert.ok(check.differenceError < 2e-5, `${check.differenceError}`);
    });
  }
});
