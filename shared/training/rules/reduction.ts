import type { GraphBuilder } from '../graph-builder.ts';
import { intAttribute, intsAttribute } from '../model/attributes.ts';
import { shapeSize } from '../model/onnx-tensor.ts';
import { opsetRange } from '../model/source-graph.ts';
import { constantInput, hasInput } from './constant-input.ts';
import type { Rule, RuleContext } from './rule.ts';

/** A reduction of x to y; `y` and `dY` have kept the axes they were reduced along, as size 1. */
interface Reduction {
  readonly context: RuleContext;
  readonly graph: GraphBuilder;
  readonly x: string;
  readonly y: string;
  readonly dY: string;
  readonly axes: readonly number[];
}

/** Adds d loss / d x to the graph. */
type Gradient = (reduction: Reduction) => string;

/** Reductions along axes, all of them unless said (ONNX, Reduce operators). */
export const reductionRules: readonly Rule[] = [
  reduction('ReduceSum', (reduction) => spread(reduction, reduction.dY)),
  reduction('ReduceMean', (reduction) => {
    const share = reduction.graph.node('Mul', [reduction.dY, reducedShare(reduction)]);
    return spread(reduction, share);
  }),
  reduction('ReduceMax', extremeGradient),
  reduction('ReduceMin', extremeGradient),
  reduction('ReduceProd', productGradient),
  reduction('ReduceL1', ({ graph, x, dY }) => graph.node('Mul', [dY, graph.node('Sign', [x])])),
  reduction('ReduceL2', ({ graph, x, y, dY }) => {
    // At the origin the slope is 0, as in PyTorch.
    const isZero = graph.node('Equal', [y, graph.float(0)]);
    const safe = graph.node('Where', [isZero, graph.float(1), y]);
    return graph.node('Mul', [x, graph.node('Div', [dY, safe])]);
  }),
  reduction('ReduceSumSquare', ({ graph, x, dY }) =>
    graph.node('Mul', [x, graph.node('Mul', [dY, graph.float(2)])]),
  ),
  reduction('ReduceLogSum', (reduction) => {
    const { graph, y, dY } = reduction;
    const sum = graph.node('Exp', [y]);
    return spread(reduction, graph.node('Div', [dY, sum]));
  }),
  reduction('ReduceLogSumExp', ({ graph, x, y, dY }) =>
    graph.node('Mul', [dY, graph.node('Exp', [graph.node('Sub', [x, y])])]),
  ),
];

function reduction(operator: string, gradient: Gradient): Rule {
  return {
    operator,
    domain: '',
    opsets: opsetRange,
    shapes: ({ input }) => input.slice(0, 1),
    refuses: (context) =>
      reducedAxes(context) === undefined ? 'axes that are calculated' : undefined,
    gradients(context, dY) {
      const { graph, node } = context;
      const x = node.input[0]!;
      const axes = reducedAxes(context)!;
      const isKept = intAttribute(node, 'keepdims', 1) === 1 || axes.length === 0;
      const kept = (value: string): string =>
        isKept ? value : graph.node('Unsqueeze', [value, graph.ints(axes)]);
      const y = node.output[0]!;
      return [gradient({ context, graph, x, y: kept(y), dY: kept(dY), axes })];
    },
  };
}

/** Counted from the front; `undefined` where the model calculates them. */
function reducedAxes(context: RuleContext): number[] | undefined {
  const { node, shapeOf } = context;
  const rank = shapeOf(node.input[0]!).length;
  const given = hasInput(context, 1)
    ? constantInput(context, 1)
    : (intsAttribute(node, 'axes') ?? []);
  if (given === undefined) return undefined;
  if (given.length > 0) return given.map((axis) => (axis < 0 ? axis + rank : axis));
  if (intAttribute(node, 'noop_with_empty_axes', 0) === 1) return [];
  return Array.from({ length: rank }, (_, axis) => axis);
}

/** Reduces `value` along the axes, keeping them; the axes are an attribute before opset 18. */
function reduce({ context, graph, axes }: Reduction, operator: string, value: string): string {
  if (operator === 'ReduceSum' || context.opset >= 18) {
    const noop = { noop_with_empty_axes: { int: 1 } };
    return graph.node(operator, [value, graph.ints(axes)], noop);
  }
  return graph.node(operator, [value], { axes: { ints: axes } });
}

/** Gives every element of x the value of its place in y. */
function spread({ graph, x }: Reduction, value: string): string {
  return graph.node('Expand', [value, graph.node('Shape', [x])]);
}

/** 1 / (elements of x to an element of y). */
function reducedShare({ context, graph, x, y, axes }: Reduction): string {
  const shape = context.shapeOf(x);
  const sizes = axes.map((axis) => shape[axis]!);
  if (sizes.every((size) => size !== null)) return graph.float(1 / shapeSize(sizes));
  const count = graph.node('Div', [graph.node('Size', [x]), graph.node('Size', [y])]);
  return graph.node('Reciprocal', [graph.node('Cast', [count], { to: { int: graph.floatType } })]);
}

/** The largest (or smallest) elements share dY equally, as PyTorch's amax and amin have it. */
function extremeGradient(reduction: Reduction): string {
  const { graph, x, y, dY } = reduction;
  const isExtreme = graph.node('Equal', [x, y]);
  const ones = graph.node('Cast', [isExtreme], { to: { int: graph.floatType } });
  const share = graph.node('Div', [dY, reduce(reduction, 'ReduceSum', ones)]);
  return graph.node('Where', [isExtreme, share, graph.float(0)]);
}

/** d y / d x_i is the product of the others: 0 where one of them is 0, else it divides by x_i. */
function productGradient(reduction: Reduction): string {
  const { graph, x, dY } = reduction;
  const isZero = graph.node('Equal', [x, graph.float(0)]);
  const safe = graph.node('Where', [isZero, graph.float(1), x]);
  const zeros = graph.node('Cast', [isZero], { to: { int: graph.floatType } });
  const otherZeros = graph.node('Sub', [reduce(reduction, 'ReduceSum', zeros), zeros]);
  const product = graph.node('Mul', [dY, reduce(reduction, 'ReduceProd', safe)]);
  const isAlone = graph.node('Equal', [otherZeros, graph.float(0)]);
  return graph.node('Where', [isAlone, graph.node('Div', [product, safe]), graph.float(0)]);
}
