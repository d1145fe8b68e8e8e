import { describe } from 'node:test';
import { dataType } from '../model/onnx-proto.ts';
import { resizeRules } from './resize.ts';
import { checkRules, floats, int64s, type RuleCase } from './rule-case.contract.ts';

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
