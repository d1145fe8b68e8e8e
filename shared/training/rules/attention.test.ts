import { describe } from 'node:test';
import type { Attributes } from '../model/attributes.ts';
import { dataType } from '../model/onnx-proto.ts';
import { attentionRules } from './attention.ts';
import { booleans, checkRules, type RuleCase } from './rule-case.contract.ts';

const float32 = { type: dataType.float32, tolerance: 4e-3, opsets: [23, 24, 26] };

const four = [3, 2, 4, 3];
const crossed = [
  [3, 2, 4, 3],
  [3, 2, 5, 3],
  [3, 2, 5, 2],
];
const options: readonly Attributes[] = [{}, { scale: { float: 2 } }, { is_causal: { int: 1 } }];
const masks = [
  [4, 5],
  [1, 1, 4, 5],
  [3, 1, 4, 5],
  [2, 4, 5],
];
const seen = booleans(
  Array.from({ length: 20 }, (_, index) => index % 3 !== 1),
  [4, 5],
);

const cases: readonly Omit<RuleCase, 'operator'>[] = [
  ...options.map((attributes) => ({ inputs: [four, four, four], attributes, outputs: [four] })),
  {
    title: 'shared keys',
    inputs: [
      [3, 6, 2, 3],
      [3, 2, 5, 3],
      [3, 2, 5, 4],
    ],
    outputs: [[3, 6, 2, 4]],
  },
  {
    title: 'three axes',
    inputs: [
      [3, 2, 12],
      [3, 5, 6],
      [3, 5, 8],
    ],
    outputs: [[3, 2, 16]],
    attributes: { q_num_heads: { int: 4 }, kv_num_heads: { int: 2 } },
  },
  ...masks.map((mask) => ({ inputs: [...crossed, mask], outputs: [[3, 2, 4, 2]] })),
  { title: 'a mask of booleans', inputs: [...crossed, seen], outputs: [[3, 2, 4, 2]] },
];

describe('gradients of Attention', () => {
  checkRules(
    attentionRules,
    cases.map((one) => ({ operator: 'Attention', ...one, ...float32 })),
  );
});
