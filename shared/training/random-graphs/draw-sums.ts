import { type DrawOperator, type OperatorDraw, within } from './draw-elementwise.ts';
import { freeAxes, pickAxis } from './draw-shapes.ts';
import type { GraphDraft, Value } from './graph-draft.ts';

/** Operators that add products or reduce axes, and those that are made of such sums. */

const drawMatMul: DrawOperator = (draft) => {
  const value = draft.pick(({ shape, isBatched }) => shape.length > (isBatched ? 1 : 0));
  if (value === undefined) return undefined;
  const { shape, isBatched } = value;
  const inner = shape.at(-1)!;
  const outer = draft.int(1, 3);
  if (!isBatched && shape.length > 1 && draft.isLucky(0.3)) {
    // On the right; a vector on the left at times.
    const rows = draft.isLucky(0.3) ? [] : [outer];
    const left = draft.parameter([...rows, shape.at(-2)!]);
    const made = { shape: [...shape.slice(0, -2), ...rows, inner], isBatched };
    return [draft.node('MatMul', [left, value], made)];
  }
  const stacks = shape.length > 2 && draft.isLucky(0.4) ? stackOf(draft, value) : [];
  // The runtime's optimiser miscalculates the product of a transposed value and a vector.
  const mayBeVector = stacks.length === 0 && shape.length > 1 && !draft.isTransposed(value);
  const isVector = mayBeVector && draft.isLucky(0.2);
  const weight = draft.parameter(isVector ? [inner] : [...stacks, inner, outer]);
  const made = { shape: [...shape.slice(0, -1), ...(isVector ? [] : [outer])], isBatched };
  return [draft.node('MatMul', [value, weight], made)];
};

/** Axes before the matrices that broadcast with those of a value. */
function stackOf(draft: GraphDraft, { shape, isBatched }: Value): number[] {
  return shape
    .slice(0, -2)
    .map((size, axis) => ((isBatched && axis === 0) || draft.isLucky(0.3) ? 1 : size));
}

const drawGemm: DrawOperator = (draft) => {
  const value = draft.pick(({ shape }) => shape.length === 2);
  if (value === undefined) return undefined;
  const { shape, isBatched } = value;
  const transA = isBatched ? 0 : draft.int(0, 1);
  const transB = draft.int(0, 1);
  const [rows, inner] = transA ? [shape[1]!, shape[0]!] : [shape[0]!, shape[1]!];
  const columns = draft.int(1, 3);
  const weight = draft.parameter(transB ? [columns, inner] : [inner, columns]);
  const forms = [
    [columns],
    [1],
    [1, columns],
    ...(isBatched
      ? []
      : [
          [rows, 1],
          [rows, columns],
        ]),
  ];
  const bias = draft.isLucky(0.7) ? [draft.parameter(draft.oneOf(forms))] : [];
  return [
    draft.node('Gemm', [value, weight, ...bias], {
      shape: [rows, columns],
      isBatched,
      attributes: {
        transA: { int: transA },
        transB: { int: transB },
        alpha: { float: draft.int(1, 4) / 4 },
        beta: { float: draft.int(1, 4) / 4 },
      },
    }),
  ];
};

/** Equations on a value of two axes or three; the batch stays in front. */
const drawEinsum: DrawOperator = (draft) => {
  const value = draft.pick(({ shape }) => shape.length === 2 || shape.length === 3);
  if (value === undefined) return undefined;
  const { shape, isBatched } = value;
  const [a, b, c] = shape as [number, number, number | undefined];
  const size = draft.int(1, 3);
  const forms: readonly (readonly [string, number[], number[]])[] =
    c === undefined
      ? [
          ['ab,bd->ad', [b, size], [a, size]],
          ['ab,db->ad', [size, b], [a, size]],
          ['ab,b->ab', [b], [a, b]],
          ['...b,b->...', [b], [a]],
        ]
      : [
          ['abc,cd->abd', [c, size], [a, b, size]],
          ['abc,bc->ab', [b, c], [a, b]],
          ['abc,cd->adb', [c, size], [a, size, b]],
          ['...c,dc->...d', [size, c], [a, b, size]],
          ['abc,bcd->ad', [b, c, size], [a, size]],
        ];
  const [equation, weight, made] = draft.oneOf(forms);
  const attributes = { equation: { string: equation } };
  return [
    draft.node('Einsum', [value, draft.parameter(weight)], { shape: made, isBatched, attributes }),
  ];
};

const reductions = {
  ReduceSum: 'any',
  ReduceMean: 'any',
  ReduceMax: 'any',
  ReduceMin: 'any',
  ReduceProd: 'any',
  ReduceL1: 'any',
  ReduceL2: 'any',
  ReduceSumSquare: 'any',
  ReduceLogSum: 'positive',
  ReduceLogSumExp: 'any',
} as const;

function drawReduction(operator: keyof typeof reductions): DrawOperator {
  return (draft) => {
    const picked = draft.pick((value) => freeAxes(value).length > 0);
    if (picked === undefined) return undefined;
    const value = within(draft, picked, reductions[operator]);
    const { shape, isBatched } = value;
    const free = freeAxes(value);
    const isWhole = !isBatched && draft.isLucky(0.2);
    const some = free.filter(() => draft.isLucky(0.5));
    const axes = isWhole ? free : some.length > 0 ? some : [draft.oneOf(free)];
    const said = axes.map((axis) => (draft.isLucky(0.3) ? axis - shape.length : axis));
    const keepdims = draft.int(0, 1);
    const asInput = operator === 'ReduceSum' || draft.opset >= 18;
    const made = keepdims
      ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
      : shape.filter((_, axis) => !axes.includes(axis));
    return [
      draft.node(operator, [value, ...(isWhole || !asInput ? [] : [draft.ints(said)])], {
        shape: made,
        isBatched,
        attributes: {
          keepdims: { int: keepdims },
          ...(!isWhole && !asInput && { axes: { ints: said } }),
        },
      }),
    ];
  };
}

function drawSoftmax(operator: string): DrawOperator {
  return (draft) => {
    const picked = pickAxis(draft);
    if (picked === undefined) return undefined;
    const { shape, isBatched } = picked.value;
    const attributes = { axis: { int: picked.said } };
    return [draft.node(operator, [picked.value], { shape, isBatched, attributes })];
  };
}

/** The mean, or the losses one by one, of logits that are no batch. */
const drawSoftmaxCrossEntropy: DrawOperator = (draft) => {
  const value = draft.pick(({ shape, isBatched }) => !isBatched && shape.length > 1);
  if (value === undefined) return undefined;
  const { shape } = value;
  const [, classes, ...places] = shape as [number, number, ...number[]];
  const losses = [shape[0]!, ...places];
  const count = losses.reduce((product, size) => product * size, 1);
  const ids = Array.from({ length: count }, () => draft.int(0, classes - 1));
  const reduction = draft.oneOf(['none', 'sum', 'mean']);
  const attributes = { reduction: { string: reduction } };
  const made = { shape: reduction === 'none' ? losses : [], isBatched: false, attributes };
  return [draft.node('SoftmaxCrossEntropyLoss', [value, draft.ints(ids, losses)], made)];
};

function drawLastAxesNormalisation(operator: string): DrawOperator {
  return (draft) => {
    const picked = pickAxis(draft);
    if (picked === undefined) return undefined;
    const { value, axis, said } = picked;
    const { shape, isBatched } = value;
    const scale = draft.parameter(shape.slice(axis));
    const hasBias = operator === 'LayerNormalization' && draft.isLucky(0.7);
    const bias = hasBias ? [draft.parameter(shape.slice(axis))] : [];
    const attributes = { axis: { int: said }, epsilon: { float: 0.1 } };
    return [draft.node(operator, [value, scale, ...bias], { shape, isBatched, attributes })];
  };
}

/** Operators that add up, and those made of sums. */
export const sumDraws: readonly OperatorDraw[] = [
  { operator: 'MatMul', draw: drawMatMul },
  { operator: 'Gemm', draw: drawGemm },
  { operator: 'Einsum', draw: drawEinsum },
  ...(Object.keys(reductions) as (keyof typeof reductions)[]).map((operator) => ({
    operator,
    draw: drawReduction(operator),
  })),
  ...['Softmax', 'LogSoftmax'].map((operator) => ({ operator, draw: drawSoftmax(operator) })),
  { operator: 'SoftmaxCrossEntropyLoss', draw: drawSoftmaxCrossEntropy },
  { operator: 'LayerNormalization', draw: drawLastAxesNormalisation('LayerNormalization') },
  {
    operator: 'SimplifiedLayerNormalization',
    draw: drawLastAxesNormalisation('SimplifiedLayerNormalization'),
  },
  {
    operator: 'RMSNormalization',
    draw: drawLastAxesNormalisation('RMSNormalization'),
    since: 23,
  },
];
