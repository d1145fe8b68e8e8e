import { describe } from 'node:test';
import { checkRules, int64s } from './rule-case.contract.ts';
import { structureRules } from './structure.ts';

const block = { blocksize: { int: 2 } } as const;

describe('rules for the shape', () => {
  checkRules(structureRules, [
    { operator: 'Reshape', inputs: [[3, 4], int64s([2, -1])], outputs: [[2, 6]] },
    {
      operator: 'Reshape',
      inputs: [[3, 2, 4], int64s([0, 8])],
      outputs: [[3, 8]],
      isBatched: true,
    },
    { operator: 'Flatten', inputs: [[3, 2, 2]], outputs: [[3, 4]] },
    {
      operator: 'Flatten',
      inputs: [[3, 2, 2]],
      outputs: [[6, 2]],
      attributes: { axis: { int: 2 } },
    },
    { operator: 'Flatten', inputs: [[3, 2, 2]], outputs: [[3, 4]], isBatched: true },
    { operator: 'Squeeze', inputs: [[1, 3, 1, 2]], outputs: [[3, 2]] },
    { operator: 'Squeeze', inputs: [[1, 3, 1], int64s([-1])], outputs: [[1, 3]] },
    { operator: 'Unsqueeze', inputs: [[3, 2], int64s([0, -1])], outputs: [[1, 3, 2, 1]] },
    {
      operator: 'Unsqueeze',
      inputs: [[3, 2], int64s([1])],
      outputs: [[3, 1, 2]],
      isBatched: true,
    },
    { operator: 'Transpose', inputs: [[2, 3, 4]], outputs: [[4, 3, 2]] },
    {
      operator: 'Transpose',
      inputs: [[2, 3, 4]],
      outputs: [[4, 2, 3]],
      attributes: { perm: { ints: [2, 0, 1] } },
    },
    { operator: 'Expand', inputs: [[3, 1], int64s([2, 1, 4])], outputs: [[2, 3, 4]] },
    { operator: 'Expand', inputs: [[3, 4], int64s([1])], outputs: [[3, 4]] },
    { operator: 'Expand', inputs: [[3, 1], int64s([1, 4])], outputs: [[3, 4]], isBatched: true },
    { operator: 'Tile', inputs: [[2, 3], int64s([2, 3])], outputs: [[4, 9]] },
    { operator: 'Tile', inputs: [[2, 1, 3], int64s([1, 2, 2])], outputs: [[2, 2, 6]] },
    { operator: 'Tile', inputs: [[3, 2], int64s([1, 2])], outputs: [[3, 4]], isBatched: true },
    ...['DCR', 'CRD'].flatMap((mode) =>
      [false, true].map((isBatched) => ({
        operator: 'DepthToSpace',
        inputs: [[3, 8, 2, 3]],
        outputs: [[3, 2, 4, 6]],
        attributes: { ...block, mode: { string: mode } },
        isBatched,
      })),
    ),
    {
      operator: 'SpaceToDepth',
      inputs: [[2, 2, 4, 6]],
      outputs: [[2, 8, 2, 3]],
      attributes: block,
    },
  ]);
});
