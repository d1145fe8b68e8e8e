import type { GraphBuilder } from '../graph-builder.ts';
import { intAttribute, stringAttribute } from '../model/attributes.ts';
import type { Shape } from '../model/shape.ts';
import { opsetRange } from '../model/source-graph.ts';
import { constantInput, hasInput } from './constant-input.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';
import { addToOrigins, elementPlaces, zerosLike } from './scatter.ts';

/** Operators that put tensors together along an axis, or take blocks out of them. */
export const joiningRules: readonly Rule[] = [
  {
    operator: 'Concat',
    domain: '',
    opsets: opsetRange,
    shapes: ({ input }) => input,
    gradients: concatGradients,
  },
  {
    operator: 'Split',
    domain: '',
    opsets: opsetRange,
    gradientsOfMany: splitGradients,
  },
  {
    operator: 'Slice',
    domain: '',
    opsets: opsetRange,
    shapes: ({ input }) => input.slice(0, 1),
    gradients: sliceGradients,
  },
  {
    operator: 'Pad',
    domain: '',
    opsets: opsetRange,
    gradients: padGradients,
  },
];

/** Each input's part of dY. */
function concatGradients({ graph, node, wants, shapeOf }: RuleContext, dY: string): InputGradients {
  const given = intAttribute(node, 'axis', 0);
  const axis = given < 0 ? given + shapeOf(node.input[0]!).length : given;
  let known = 0;
  let varying: string | undefined;
  const place = (): string =>
    varying === undefined ? graph.ints([known]) : graph.node('Add', [varying, graph.ints([known])]);
  const advance = (input: string): void => {
    const size = shapeOf(input)[axis]!;
    if (size !== null) {
      known += size;
      return;
    }
    const measured = axisSize(graph, input, axis);
    varying = varying === undefined ? measured : graph.node('Add', [varying, measured]);
  };
  return node.input.map((input, index) => {
    const start = place();
    advance(input);
    return wants(index) ? graph.node('Slice', [dY, start, place(), graph.ints([axis])]) : undefined;
  });
}

/** int64 [1] */
function axisSize(graph: GraphBuilder, value: string, axis: number): string {
  return graph.node('Shape', [value], { start: { int: axis }, end: { int: axis + 1 } });
}

function splitGradients(
  { graph, node }: RuleContext,
  dYs: readonly (string | undefined)[],
): InputGradients {
  const parts = dYs.map((dY, index) => dY ?? zerosLike(graph, node.output[index]!));
  return [graph.node('Concat', parts, { axis: { int: intAttribute(node, 'axis', 0) } })];
}

/** dY between zeros; where the cut is not one plain block, each element goes where it was. */
function sliceGradients(context: RuleContext, dY: string): InputGradients {
  const { graph, node } = context;
  const [x, ...cut] = node.input as [string, ...string[]];
  const pads = blockMargins(context);
  if (pads !== undefined) return [graph.node('Pad', [dY, graph.ints(pads)])];
  const origin = graph.node('Slice', [elementPlaces(graph, x), ...cut]);
  return [addToOrigins(graph, x, { dY, origin })];
}

/** How much of x lies before and after the block, by axis; `undefined` where that is not fixed. */
function blockMargins(context: RuleContext): number[] | undefined {
  const { node, shapeOf } = context;
  const shape: Shape = shapeOf(node.input[0]!);
  const starts = constantInput(context, 1);
  const ends = constantInput(context, 2);
  const axes = hasInput(context, 3) ? constantInput(context, 3) : starts?.map((_, axis) => axis);
  const steps = hasInput(context, 4) ? constantInput(context, 4) : starts?.map(() => 1);
  if (!starts || !ends || !axes || !steps?.every((step) => step === 1)) return undefined;
  const before = shape.map(() => 0);
  const after = shape.map(() => 0);
  for (const [i, given] of axes.entries()) {
    const axis = given < 0 ? given + shape.length : given;
    const size = shape[axis]!;
    if (size === null) return undefined;
    const inside = (place: number): number =>
      Math.max(0, Math.min(size, place < 0 ? place + size : place));
    before[axis] = inside(starts[i]!);
    after[axis] = size - inside(ends[i]!);
    if (before[axis]! + after[axis]! >= size) return undefined;
  }
  return [...before, ...after];
}

/**
 * Constant padding is undone by padding the other way. Where the border repeats elements, they get
 * the gradients of their copies too.
 */
function padGradients(context: RuleContext, dY: string): InputGradients {
  const { graph, node, wants } = context;
  const [x, pads, , axes = ''] = node.input as [string, string, string?, string?];
  const mode = stringAttribute(node, 'mode', 'constant');
  const along = axes === '' ? [] : ['', axes];
  if (mode !== 'constant') {
    const attributes = { mode: { string: mode } };
    const origin = graph.node('Pad', [elementPlaces(graph, x), pads, ...along], attributes);
    return [addToOrigins(graph, x, { dY, origin })];
  }
  const known = constantInput(context, 1);
  const back = known ? graph.ints(known.map((pad) => -pad)) : graph.node('Neg', [pads]);
  const dX = graph.node('Pad', [dY, back, ...along]);
  if (!wants(2)) return [dX];
  const total = (value: string) => graph.node('ReduceSum', [value], { keepdims: { int: 0 } });
  return [dX, undefined, graph.node('Sub', [total(dY), total(dX)])];
}
