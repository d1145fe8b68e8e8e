import { describe } from 'node:test';
import { joiningRules } from './joining.ts';
import { checkRules, floats, int32s, int64s, type RuleCase } from './rule-case.contract.ts';

/** starts, ends, axes, steps, and what is left of [4, 5]. */
const slices: readonly [
  number[],
  number[],
  number[] | undefined,
  number[] | undefined,
  number[],
][] = [
  [[1, 1], [3, 4], undefined, undefined, [2, 3]],
  [[1], [-1], [1], undefined, [4, 3]],
  [[-2], [1000], [-1], [1], [4, 2]],
  [[-1000], [3], [0], undefined, [3, 5]],
  [[-1], [-1000], [1], [-1], [4, 5]],
  [
    [3, 4],
    [0, 0],
    [0, 1],
    [-2, -3],
    [2, 2],
  ],
  [
    [0, 0],
    [4, 5],
    [0, 1],
    [2, 2],
    [2, 3],
  ],
];

const sliceCases = slices.flatMap(([starts, ends, axes, steps, output]) =>
  [int64s, int32s].map((ints) => ({
    operator: 'Slice',
    inputs: [
      [4, 5],
      ...[starts, ends, axes, steps].filter((list) => list !== undefined).map((list) => ints(list)),
    ],
    outputs: [output],
    title: `${starts} to ${ends} by ${steps ?? 1}${ints === int32s ? ', int32' : ''}`,
  })),
);

const oldAndNew: readonly RuleCase[] = [
  {
    operator: 'Split',
    inputs: [[2, 6]],
    outputs: [
      [2, 3],
      [2, 3],
    ],
    opsets: [13],
  },
  {
    operator: 'Split',
    inputs: [[2, 7]],
    outputs: [
      [2, 4],
      [2, 3],
    ],
    opsets: [18, 26],
  },
].map((split) => ({
  ...split,
  attributes: { axis: { int: -1 }, ...(split.opsets[0] === 18 && { num_outputs: { int: 2 } }) },
}));

const padded = [
  ['constant', [1, 0, 0, 2], [5, 5]],
  ['constant', [-1, 1, 2, -1], [5, 3]],
  ['reflect', [2, 1, 1, 0], [7, 4]],
  ['edge', [0, 2, 2, 1], [6, 6]],
] as const;

const padCases: readonly RuleCase[] = [
  ...padded.map(([mode, pads, output]) => ({
    operator: 'Pad',
    inputs: [[4, 3], int64s(pads)],
    outputs: [output],
    attributes: { mode: { string: mode } },
    title: `${pads}`,
  })),
  {
    operator: 'Pad',
    inputs: [[4, 3], int64s([1, 2, 0, 1])],
    outputs: [[5, 6]],
    attributes: { mode: { string: 'wrap' } },
    opsets: [19, 26],
  },
  {
    operator: 'Pad',
    inputs: [[4, 3], int64s([1, 2]), floats([0.5]), int64s([1])],
    outputs: [[4, 6]],
    opsets: [18, 26],
    title: 'of one axis',
  },
  {
    operator: 'Pad',
    inputs: [[3, 4], int64s([1, 2]), '', int64s([1])],
    outputs: [[3, 7]],
    attributes: { mode: { string: 'edge' } },
    opsets: [18],
    isBatched: true,
  },
];

describe('rules for joining and cutting', () => {
  checkRules(joiningRules, [
    {
      operator: 'Concat',
      inputs: [
        [2, 3],
        [2, 1],
        [2, 4],
      ],
      outputs: [[2, 8]],
      attributes: { axis: { int: -1 } },
    },
    {
      operator: 'Concat',
      inputs: [
        [1, 3],
        [2, 3],
      ],
      outputs: [[3, 3]],
      attributes: { axis: { int: 0 } },
    },
    ...oldAndNew,
    {
      operator: 'Split',
      inputs: [[6, 2], int64s([1, 3, 2])],
      outputs: [[1, 2], null, [2, 2]],
      title: 'one part unused',
    },
    ...sliceCases,
    {
      operator: 'Slice',
      inputs: [[3, 4, 2], int64s([1]), int64s([3]), int64s([1])],
      outputs: [[3, 2, 2]],
      isBatched: true,
    },
    {
      operator: 'Slice',
      inputs: [[3, 4], int64s([-1]), int64s([-9]), int64s([1]), int64s([-2])],
      outputs: [[3, 2]],
      isBatched: true,
      title: 'backwards',
    },
    ...padCases,
  ]);
});
