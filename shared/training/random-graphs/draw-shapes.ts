import { shapeSize } from '../model/onnx-tensor.ts';
import type { DrawOperator, OperatorDraw } from './draw-elementwise.ts';
import type { GraphDraft, Value } from './graph-draft.ts';

const hasAxes = ({ shape }: Value) => shape.length > 0;

/** The axes that an operator may treat as it likes. */
export function freeAxes({ shape, isBatched }: Value): number[] {
  return shape.map((_, axis) => axis).slice(isBatched ? 1 : 0);
}

/** A value with a free axis, and one of those; at times counted from the end. */
export function pickAxis(
  draft: GraphDraft,
  fits: (value: Value) => boolean = () => true,
): { readonly value: Value; readonly axis: number; readonly said: number } | undefined {
  const value = draft.pick((candidate) => freeAxes(candidate).length > 0 && fits(candidate));
  if (value === undefined) return undefined;
  const axis = draft.oneOf(freeAxes(value));
  return { value, axis, said: draft.isLucky(0.5) ? axis : axis - value.shape.length };
}

export function withSize({ shape }: Value, axis: number, size: number): number[] {
  return shape.with(axis, size);
}

/** `length` of `count` places in a random order, none twice. */
export function distinctPlaces(draft: GraphDraft, count: number, length: number): number[] {
  const left = Array.from({ length: count }, (_, place) => place);
  return Array.from({ length }, () => left.splice(draft.int(0, left.length - 1), 1)[0]!);
}

const drawReshape: DrawOperator = (draft) => {
  const value = draft.pick(hasAxes);
  if (value === undefined) return undefined;
  const { shape, isBatched } = value;
  const size = shapeSize(shape.slice(isBatched ? 1 : 0));
  const divisor = draft.oneOf([1, 2, 3, 4].filter((candidate) => size % candidate === 0));
  const own = draft.isLucky(0.3) ? [size] : [divisor, size / divisor];
  const target = draft.isLucky(0.5) ? own : own.with(-1, -1);
  const said = isBatched ? (target.includes(-1) ? [0, ...target] : [-1, ...target]) : target;
  const made = { shape: isBatched ? [shape[0]!, ...own] : own, isBatched };
  return [draft.node('Reshape', [value, draft.ints(said)], made)];
};

const drawFlatten: DrawOperator = (draft) => {
  const value = draft.pick(hasAxes);
  if (value === undefined) return undefined;
  const { shape, isBatched } = value;
  const axis = isBatched ? 1 : draft.int(0, shape.length);
  const parts = [shapeSize(shape.slice(0, axis)), shapeSize(shape.slice(axis))];
  return [
    draft.node('Flatten', [value], {
      shape: parts,
      isBatched,
      attributes: { axis: { int: axis } },
    }),
  ];
};

const drawSqueeze: DrawOperator = (draft) => {
  const isOne = (value: Value) => freeAxes(value).some((axis) => value.shape[axis] === 1);
  const value = draft.pick(isOne);
  if (value === undefined) return undefined;
  const axis = draft.oneOf(freeAxes(value).filter((candidate) => value.shape[candidate] === 1));
  const made = { shape: value.shape.toSpliced(axis, 1), isBatched: value.isBatched };
  return [draft.node('Squeeze', [value, draft.ints([axis])], made)];
};

const drawUnsqueeze: DrawOperator = (draft) => {
  const value = draft.pick(({ shape }) => shape.length < 4);
  if (value === undefined) return undefined;
  const axis = draft.int(value.isBatched ? 1 : 0, value.shape.length);
  const made = { shape: value.shape.toSpliced(axis, 0, 1), isBatched: value.isBatched };
  return [draft.node('Unsqueeze', [value, draft.ints([axis])], made)];
};

const drawTranspose: DrawOperator = (draft) => {
  const value = draft.pick(({ shape }) => shape.length > 1);
  if (value === undefined) return undefined;
  const { shape, isBatched } = value;
  const free = freeAxes(value);
  const order = distinctPlaces(draft, free.length, free.length).map((place) => free[place]!);
  const perm = isBatched ? [0, ...order] : order;
  const isUnsaid = !isBatched && draft.isLucky(0.3);
  const axes = isUnsaid ? shape.map((_, axis) => shape.length - 1 - axis) : perm;
  return [
    draft.node('Transpose', [value], {
      shape: axes.map((axis) => shape[axis]!),
      isBatched,
      attributes: isUnsaid ? {} : { perm: { ints: perm } },
    }),
  ];
};

/** [N, C, H, W] cut from nothing: a parameter of the shape an image operator needs. */
const drawSpaceToDepth: DrawOperator = (draft) => {
  const [channels, height, width] = [draft.int(1, 2), 2 * draft.int(1, 2), 2];
  const value = draft.parameter([2, channels, height, width]);
  const made = { shape: [2, channels * 4, height / 2, width / 2], isBatched: false };
  return [draft.node('SpaceToDepth', [value], { ...made, attributes: { blocksize: { int: 2 } } })];
};

const drawDepthToSpace: DrawOperator = (draft) => {
  const [channels, height, width] = [draft.int(1, 2), draft.int(1, 2), draft.int(1, 2)];
  const value = draft.parameter([2, channels * 4, height, width]);
  const mode = draft.oneOf(['DCR', 'CRD']);
  return [
    draft.node('DepthToSpace', [value], {
      shape: [2, channels, height * 2, width * 2],
      isBatched: false,
      attributes: { blocksize: { int: 2 }, mode: { string: mode } },
    }),
  ];
};

const drawExpand: DrawOperator = (draft) => {
  const value = draft.pick(({ shape }) => shapeSize(shape) <= 24);
  if (value === undefined) return undefined;
  const { shape, isBatched } = value;
  const sizes = shape.map((size, axis) =>
    size === 1 && !(isBatched && axis === 0) && draft.isLucky(0.7) ? draft.int(2, 3) : size,
  );
  const grown = !isBatched && shape.length < 4 && draft.isLucky(0.5) ? [2, ...sizes] : sizes;
  // A size of 1 leaves an axis as it is, and so the batch.
  const said = isBatched ? [1, ...grown.slice(1)] : grown;
  return [draft.node('Expand', [value, draft.ints(said)], { shape: grown, isBatched })];
};

const drawTile: DrawOperator = (draft) => {
  const picked = pickAxis(draft, ({ shape }) => shapeSize(shape) <= 24);
  if (picked === undefined) return undefined;
  const { value, axis } = picked;
  const { shape, isBatched } = value;
  const times = draft.int(1, 3);
  const repeats = shape.map((_, at) => (at === axis ? times : 1));
  const made = { shape: withSize(value, axis, shape[axis]! * times), isBatched };
  return [draft.node('Tile', [value, draft.ints(repeats)], made)];
};

const drawConcat: DrawOperator = (draft) => {
  const picked = pickAxis(draft);
  if (picked === undefined) return undefined;
  const { value, axis, said } = picked;
  const { shape, isBatched } = value;
  const fits = (other: Value) =>
    other.isBatched === isBatched &&
    `${withSize(value, axis, 0)}` === `${other.shape.length > axis && withSize(other, axis, 0)}`;
  const others = Array.from({ length: draft.int(1, 2) }, () =>
    !isBatched && draft.isLucky(0.5)
      ? draft.parameter(withSize(value, axis, draft.int(1, 2)))
      : draft.pick(fits)!,
  );
  const all = draft.isLucky(0.5) ? [value, ...others] : [...others, value];
  const size = all.reduce((sum, other) => sum + other.shape[axis]!, 0);
  const made = { shape: shape.with(axis, size), isBatched };
  return [draft.node('Concat', all, { ...made, attributes: { axis: { int: said } } })];
};

const drawSplit: DrawOperator = (draft) => {
  const picked = pickAxis(draft, (value) => freeAxes(value).every((at) => value.shape[at]! > 1));
  if (picked === undefined) return undefined;
  const { value, axis, said } = picked;
  const first = draft.int(1, value.shape[axis]! - 1);
  const sizes = [first, value.shape[axis]! - first];
  return draft.nodeOfMany('Split', [value, draft.ints(sizes)], {
    outputs: sizes.map((size) => ({
      shape: withSize(value, axis, size),
      isBatched: value.isBatched,
    })),
    attributes: { axis: { int: said } },
  });
};

const drawSlice: DrawOperator = (draft) => {
  const picked = pickAxis(draft);
  if (picked === undefined) return undefined;
  const { value, axis, said } = picked;
  const size = value.shape[axis]!;
  const step = draft.oneOf([1, 1, 2, -1, -2]);
  const from = step > 0 ? draft.int(0, size - 1) : draft.int(0, size - 1) - size;
  const first = from < 0 ? from + size : from;
  const [to, count] =
    step > 0
      ? [size + draft.int(0, 2), Math.ceil((size - first) / step)]
      : [-size - 1, Math.floor(first / -step) + 1];
  const operands = [from, to, said, step].map((place) => draft.ints([place]));
  const made = { shape: withSize(value, axis, count), isBatched: value.isBatched };
  return [draft.node('Slice', [value, ...operands], made)];
};

const drawPad: DrawOperator = (draft) => {
  const picked = pickAxis(draft, ({ shape }) => shapeSize(shape) <= 24);
  if (picked === undefined) return undefined;
  const { value, axis } = picked;
  const { shape, isBatched } = value;
  const size = shape[axis]!;
  const mode = draft.oneOf(size > 1 ? ['constant', 'reflect', 'edge'] : ['constant', 'edge']);
  const most = mode === 'reflect' ? Math.min(2, size - 1) : 2;
  const least = mode === 'constant' && size > 1 ? -1 : 0;
  const [before, after] = [draft.int(0, most), draft.int(size > 1 ? least : 0, most)];
  const pads = [before, after].flatMap((pad) => shape.map((_, at) => (at === axis ? pad : 0)));
  const constant = mode === 'constant' && draft.isLucky(0.5) ? [draft.floats([0.25], [])] : [];
  return [
    draft.node('Pad', [value, draft.ints(pads), ...constant], {
      shape: withSize(value, axis, size + before + after),
      isBatched,
      attributes: { mode: { string: mode } },
    }),
  ];
};

const drawCumSum: DrawOperator = (draft) => {
  const picked = pickAxis(draft);
  if (picked === undefined) return undefined;
  const { value, said } = picked;
  return [
    draft.node('CumSum', [value, draft.ints([said], [])], {
      shape: value.shape,
      isBatched: value.isBatched,
      attributes: { exclusive: { int: draft.int(0, 1) }, reverse: { int: draft.int(0, 1) } },
    }),
  ];
};

const drawTrilu: DrawOperator = (draft) => {
  const value = draft.pick(({ shape, isBatched }) => shape.length > (isBatched ? 2 : 1));
  if (value === undefined) return undefined;
  const { shape, isBatched } = value;
  const diagonal = draft.isLucky(0.5) ? [draft.ints([draft.int(-1, 1)], [])] : [];
  const attributes = { upper: { int: draft.int(0, 1) } };
  return [draft.node('Trilu', [value, ...diagonal], { shape, isBatched, attributes })];
};

/** In evaluation: what it was. */
const drawDropout: DrawOperator = (draft) => {
  const value = draft.pick();
  if (value === undefined) return undefined;
  const { shape, isBatched } = value;
  const ratio = draft.isLucky(0.5) ? [draft.floats([0.5], [])] : [];
  return [draft.node('Dropout', [value, ...ratio], { shape, isBatched })];
};

/** Operators that move elements and leave them as they are. */
export const shapeDraws: readonly OperatorDraw[] = [
  { operator: 'Reshape', draw: drawReshape },
  { operator: 'Flatten', draw: drawFlatten },
  { operator: 'Squeeze', draw: drawSqueeze },
  { operator: 'Unsqueeze', draw: drawUnsqueeze },
  { operator: 'Transpose', draw: drawTranspose },
  { operator: 'SpaceToDepth', draw: drawSpaceToDepth },
  { operator: 'DepthToSpace', draw: drawDepthToSpace },
  { operator: 'Expand', draw: drawExpand },
  { operator: 'Tile', draw: drawTile },
  { operator: 'Concat', draw: drawConcat },
  { operator: 'Split', draw: drawSplit },
  { operator: 'Slice', draw: drawSlice },
  { operator: 'Pad', draw: drawPad },
  { operator: 'CumSum', draw: drawCumSum },
  { operator: 'Trilu', draw: drawTrilu, since: 14 },
  { operator: 'Dropout', draw: drawDropout },
];
