import { intAttribute, stringAttribute } from '../model/attributes.ts';
import { dataType } from '../model/onnx-proto.ts';
import { opsetRange } from '../model/source-graph.ts';
import { constantInput } from './constant-input.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';
import { addToOrigins, elementPlaces, zerosLike } from './scatter.ts';

/**
 * Operators that choose elements, by index or by order. An element chosen twice gets both
 * gradients; indices have none.
 */
export const indexingRules: readonly Rule[] = [
  { ...rule('Gather', gatherGradients), shapes: ({ input }) => input },
  rule('GatherElements', ({ graph, node }, dY) => [
    graph.node('ScatterElements', [zerosLike(graph, node.input[0]!), node.input[1]!, dY], {
      axis: { int: intAttribute(node, 'axis', 0) },
      reduction: { string: 'add' },
    }),
  ]),
  rule('GatherND', gatherNdGradients),
  scatterRule('ScatterElements', 'GatherElements'),
  scatterRule('ScatterND', 'GatherND'),
  rule('TopK', ({ graph, node }, dY) => [
    graph.node('ScatterElements', [zerosLike(graph, node.input[0]!), node.output[1]!, dY], {
      axis: { int: intAttribute(node, 'axis', -1) },
    }),
  ]),
  rule('CumSum', ({ graph, node }, dY) => [
    graph.node('CumSum', [dY, node.input[1]!], {
      exclusive: { int: intAttribute(node, 'exclusive', 0) },
      reverse: { int: 1 - intAttribute(node, 'reverse', 0) },
    }),
  ]),
  {
    ...rule('Trilu', ({ graph, node }, dY) => [
      graph.node('Trilu', [dY, ...node.input.slice(1)], {
        upper: { int: intAttribute(node, 'upper', 1) },
      }),
    ]),
    opsets: { oldest: 14, newest: opsetRange.newest },
  },
];

function rule(operator: string, gradients: (c: RuleContext, dY: string) => InputGradients): Rule {
  return { operator, domain: '', opsets: opsetRange, gradients };
}

/** y[.., i.., ..] = x[.., indices[i..], ..] along one axis. */
function gatherGradients(context: RuleContext, dY: string): InputGradients {
  const { graph, node, shapeOf } = context;
  const [x, indices] = node.input as [string, string];
  const shape = shapeOf(x);
  const given = intAttribute(node, 'axis', 0);
  const axis = given < 0 ? given + shape.length : given;
  const size = shape[axis]!;
  const index = shapeOf(indices).length === 0 ? constantInput(context, 1)?.[0] : undefined;
  if (index !== undefined && size !== null) {
    const before = index < 0 ? index + size : index;
    const margins = (at: number) => shape.map((_, i) => (i === axis ? at : 0));
    const pads = [...margins(before), ...margins(size - 1 - before)];
    const block = graph.node('Unsqueeze', [dY, graph.ints([axis])]);
    return [graph.node('Pad', [block, graph.ints(pads)])];
  }
  return [scatterAlong(context, dY, axis)];
}

/** ScatterND works along the first axes, so the axis goes there and back. */
function scatterAlong({ graph, node, shapeOf }: RuleContext, dY: string, axis: number): string {
  const [x, indices] = node.input as [string, string];
  const wide = graph.node('Cast', [indices], { to: { int: dataType.int64 } });
  const places = graph.node('Unsqueeze', [wide, graph.ints([-1])]);
  const scatter = (zeros: string, updates: string): string =>
    graph.node('ScatterND', [zeros, places, updates], { reduction: { string: 'add' } });
  if (axis === 0) return scatter(zerosLike(graph, x), dY);
  const toFront = (rank: number, moved: number): number[] => {
    const axes = Array.from({ length: rank }, (_, i) => i);
    const front = axes.splice(axis, moved);
    return [...front, ...axes];
  };
  const transpose = (value: string, perm: readonly number[]): string =>
    graph.node('Transpose', [value], { perm: { ints: perm } });
  const [rank, indexRank] = [shapeOf(x).length, shapeOf(indices).length];
  const order = toFront(rank, 1);
  const shape = graph.node('Gather', [graph.node('Shape', [x]), graph.ints(order)]);
  const zeros = graph.node('Expand', [graph.float(0), shape]);
  const updates = transpose(dY, toFront(rank - 1 + indexRank, indexRank));
  const back = order.map((_, i) => order.indexOf(i));
  return transpose(scatter(zeros, updates), back);
}

function gatherNdGradients({ graph, node }: RuleContext, dY: string): InputGradients {
  const [x, indices] = node.input as [string, string];
  const batchDims = intAttribute(node, 'batch_dims', 0);
  if (batchDims === 0) {
    const inputs = [zerosLike(graph, x), indices, dY];
    return [graph.node('ScatterND', inputs, { reduction: { string: 'add' } })];
  }
  const attributes = { batch_dims: { int: batchDims } };
  const origin = graph.node('GatherND', [elementPlaces(graph, x), indices], attributes);
  return [addToOrigins(graph, x, { dY, origin })];
}

/** y is data with updates put (or added) where the indices say; `gather` reads there. */
function scatterRule(scatter: string, gather: string): Rule {
  return {
    ...rule(scatter, ({ graph, node, wants }, dY) => {
      const [, indices, updates] = node.input as [string, string, string];
      const axis: Record<string, { int: number }> =
        scatter === 'ScatterElements' ? { axis: { int: intAttribute(node, 'axis', 0) } } : {};
      const isAdded = stringAttribute(node, 'reduction', 'none') === 'add';
      const dData = () =>
        isAdded ? dY : graph.node(scatter, [dY, indices, zerosLike(graph, updates)], axis);
      return [
        wants(0) ? dData() : undefined,
        undefined,
        wants(2) ? graph.node(gather, [dY, indices], axis) : undefined,
      ];
    }),
    refuses({ node }) {
      const reduction = stringAttribute(node, 'reduction', 'none');
      return ['none', 'add'].includes(reduction) ? undefined : `reduction "${reduction}"`;
    },
  };
}
