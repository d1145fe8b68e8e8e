import { shapeSize } from '../model/onnx-tensor.ts';
import type { DrawOperator, OperatorDraw } from './draw-elementwise.ts';
import { distinctPlaces, pickAxis, withSize } from './draw-shapes.ts';
import type { GraphDraft, Value } from './graph-draft.ts';

/** Some of `count` places, maybe one more than once. */
function places(draft: GraphDraft, count: number, length: number): number[] {
  return Array.from({ length }, () => draft.int(0, count - 1));
}

const drawGather: DrawOperator = (draft) => {
  const picked = pickAxis(draft);
  if (picked === undefined) return undefined;
  const { value, axis, said } = picked;
  const { shape, isBatched } = value;
  const form = draft.oneOf([[], [2], [3], [1, 2]]);
  const indices = places(draft, shape[axis]!, shapeSize(form));
  const signed = indices.map((place) => (draft.isLucky(0.3) ? place - shape[axis]! : place));
  const made = { shape: shape.toSpliced(axis, 1, ...form), isBatched };
  const operands = [value, draft.ints(signed, form)];
  return [draft.node('Gather', operands, { ...made, attributes: { axis: { int: said } } })];
};

const isFixed = (value: Value) => !value.isBatched && value.shape.length > 0;

const drawGatherElements: DrawOperator = (draft) => {
  const picked = pickAxis(draft, isFixed);
  if (picked === undefined) return undefined;
  const { value, axis, said } = picked;
  const shape = withSize(value, axis, draft.int(1, 3));
  const indices = draft.ints(places(draft, value.shape[axis]!, shapeSize(shape)), shape);
  const made = { shape, isBatched: false, attributes: { axis: { int: said } } };
  return [draft.node('GatherElements', [value, indices], made)];
};

const drawGatherNd: DrawOperator = (draft) => {
  const value = draft.pick(isFixed);
  if (value === undefined) return undefined;
  const depth = draft.int(1, value.shape.length);
  const count = draft.int(1, 3);
  const indices = Array.from({ length: count }, () =>
    value.shape.slice(0, depth).map((size) => draft.int(0, size - 1)),
  ).flat();
  const made = { shape: [count, ...value.shape.slice(depth)], isBatched: false };
  return [draft.node('GatherND', [value, draft.ints(indices, [count, depth])], made)];
};

/** Places are distinct where a later update would undo an earlier one. */
const drawScatterElements: DrawOperator = (draft) => {
  const picked = pickAxis(draft, isFixed);
  if (picked === undefined) return undefined;
  const { value, axis, said } = picked;
  const { shape } = value;
  const reduction = draft.oneOf(draft.opset >= 16 ? ['none', 'add'] : ['none']);
  const length = reduction === 'add' ? draft.int(1, 3) : draft.int(1, shape[axis]!);
  const form = withSize(value, axis, length);
  const line = () =>
    reduction === 'add'
      ? places(draft, shape[axis]!, length)
      : distinctPlaces(draft, shape[axis]!, length);
  const inner = shapeSize(shape.slice(axis + 1));
  const indices = new Array<number>(shapeSize(form));
  for (let outer = 0; outer < shapeSize(shape.slice(0, axis)); outer++) {
    for (let at = 0; at < inner; at++) {
      line().forEach((place, index) => {
        indices[(outer * length + index) * inner + at] = place;
      });
    }
  }
  return [
    draft.node('ScatterElements', [value, draft.ints(indices, form), draft.parameter(form)], {
      shape,
      isBatched: false,
      attributes: {
        axis: { int: said },
        ...(reduction !== 'none' && { reduction: { string: reduction } }),
      },
    }),
  ];
};

const drawScatterNd: DrawOperator = (draft) => {
  const value = draft.pick(isFixed);
  if (value === undefined) return undefined;
  const { shape } = value;
  const reduction = draft.oneOf(draft.opset >= 16 ? ['none', 'add'] : ['none']);
  const count = draft.int(1, shape[0]!);
  const rows =
    reduction === 'add' ? places(draft, shape[0]!, count) : distinctPlaces(draft, shape[0]!, count);
  const updates = draft.parameter([count, ...shape.slice(1)]);
  return [
    draft.node('ScatterND', [value, draft.ints(rows, [count, 1]), updates], {
      shape,
      isBatched: false,
      attributes: reduction === 'none' ? {} : { reduction: { string: reduction } },
    }),
  ];
};

const drawTopK: DrawOperator = (draft) => {
  const picked = pickAxis(draft);
  if (picked === undefined) return undefined;
  const { value, axis, said } = picked;
  const count = draft.int(1, value.shape[axis]!);
  const made = { shape: withSize(value, axis, count), isBatched: value.isBatched };
  const attributes = { axis: { int: said }, largest: { int: draft.int(0, 1) } };
  return [draft.node('TopK', [value, draft.ints([count])], { ...made, attributes, others: 1 })];
};

/** Operators that take elements from places, or put them there. */
export const indexingDraws: readonly OperatorDraw[] = [
  { operator: 'Gather', draw: drawGather },
  { operator: 'GatherElements', draw: drawGatherElements },
  { operator: 'GatherND', draw: drawGatherNd },
  { operator: 'ScatterElements', draw: drawScatterElements },
  { operator: 'ScatterND', draw: drawScatterNd },
  { operator: 'TopK', draw: drawTopK },
];
