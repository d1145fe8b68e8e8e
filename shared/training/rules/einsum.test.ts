import { describe } from 'node:test';
import { einsumRules } from './einsum.ts';
import { checkRules } from './rule-case.contract.ts';

/** equation, operands, output */
const cases: readonly (readonly [string, readonly (readonly number[])[], readonly number[]])[] = [
  [
    'ij,jk->ik',
    [
      [3, 4],
      [4, 5],
    ],
    [3, 5],
  ],
  [
    'ij, jk',
    [
      [3, 4],
      [4, 5],
    ],
    [3, 5],
  ],
  [
    'bij,bjk->bik',
    [
      [3, 2, 4],
      [3, 4, 2],
    ],
    [3, 2, 2],
  ],
  [
    'bhid,bhjd->bhij',
    [
      [3, 2, 4, 2],
      [3, 2, 3, 2],
    ],
    [3, 2, 4, 3],
  ],
  [
    '...ij,...jk->...ik',
    [
      [3, 2, 4],
      [3, 4, 5],
    ],
    [3, 2, 5],
  ],
  [
    '...ij,jk',
    [
      [3, 2, 4],
      [4, 5],
    ],
    [3, 2, 5],
  ],
  [
    'i...,ij->i...j',
    [
      [3, 2],
      [3, 4],
    ],
    [3, 2, 4],
  ],
  ['ij->ji', [[3, 4]], [4, 3]],
  ['ij->i', [[3, 4]], [3]],
  ['ij->', [[3, 4]], []],
  ['ij,k->ik', [[3, 4], [5]], [3, 5]],
  ['i,j->ij', [[3], [4]], [3, 4]],
  [
    'bi,bi->b',
    [
      [3, 4],
      [3, 4],
    ],
    [3],
  ],
  [
    'bn,anm,bm->ba',
    [
      [3, 4],
      [2, 4, 5],
      [3, 5],
    ],
    [3, 2],
  ],
  ['ba', [[3, 4]], [4, 3]],
  [
    'ij,ij->ij',
    [
      [3, 4],
      [3, 1],
    ],
    [3, 4],
  ],
  [
    '...i,...i->...',
    [
      [1, 4],
      [3, 4],
    ],
    [3],
  ],
];

const batched = ['ij,jk->ik', 'ij->i', '...ij,jk'];

describe('gradients of Einsum', () => {
  const caseOf = ([equation, inputs, output]: (typeof cases)[number]) => ({
    operator: 'Einsum',
    inputs,
    outputs: [output],
    attributes: { equation: { string: equation } },
  });
  checkRules(einsumRules, [
    ...cases.map(caseOf),
    ...cases
      .filter(([equation]) => batched.includes(equation))
      .map((one) => ({ ...caseOf(one), isBatched: true })),
  ]);
});
