import { intAttribute, intsAttribute, stringAttribute } from '../model/attributes.ts';
import { opsetRange } from '../model/source-graph.ts';
import { unbroadcast } from './broadcasting.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';
import { shapedLike } from './shaped-like.ts';

/** Operators that put a tensor's elements into another shape or order, or repeat them. */
export const structureRules: readonly Rule[] = [
  rule('Reshape', restoreShape),
  rule('Flatten', restoreShape),
  rule('Squeeze', restoreShape),
  rule('Unsqueeze', restoreShape),
  rule('Transpose', transposeGradients),
  rule('SpaceToDepth', ({ graph, node }, dY) => [
    graph.node('DepthToSpace', [dY], { blocksize: { int: intAttribute(node, 'blocksize', 1) } }),
  ]),
  {
    ...rule('DepthToSpace', depthToSpaceGradients),
    shapes: ({ input }) => input,
    refuses: ({ node, shapeOf }) =>
      shapeOf(node.input[0]!).slice(1).includes(null) ? 'channels or sizes that vary' : undefined,
  },
  { ...rule('Expand', expandGradients), shapes: ({ input, output }) => [input[0]!, output[0]!] },
  { ...rule('Tile', tileGradients), shapes: ({ input }) => [input[0]!] },
];

function rule(operator: string, gradients: (c: RuleContext, dY: string) => InputGradients): Rule {
  return { operator, domain: '', opsets: opsetRange, gradients };
}

function restoreShape(context: RuleContext, dY: string): InputGradients {
  return [shapedLike(context, dY, context.node.input[0]!)];
}

function transposeGradients({ graph, node }: RuleContext, dY: string): InputGradients {
  const perm = intsAttribute(node, 'perm');
  if (perm === undefined) return [graph.node('Transpose', [dY])];
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  return [graph.node('Transpose', [dY], { perm: { ints: inverse } })];
}

/** Undoes the blocks: in mode CRD the channel comes before the place in the block, else after. */
function depthToSpaceGradients({ graph, node, shapeOf }: RuleContext, dY: string): InputGradients {
  const size = intAttribute(node, 'blocksize', 1);
  if (stringAttribute(node, 'mode', 'DCR') === 'DCR') {
    return [graph.node('SpaceToDepth', [dY], { blocksize: { int: size } })];
  }
  const [, channels, height, width] = shapeOf(node.input[0]!) as number[];
  // 0 keeps the batch as it is.
  const blocks = graph.ints([0, channels! / size ** 2, height!, size, width!, size]);
  const split = graph.node('Reshape', [dY, blocks]);
  const ordered = graph.node('Transpose', [split], { perm: { ints: [0, 1, 3, 5, 2, 4] } });
  return [graph.node('Reshape', [ordered, graph.node('Shape', [node.input[0]!])])];
}

function expandGradients({ graph, node, shapeOf }: RuleContext, dY: string): InputGradients {
  const [from, to] = [shapeOf(node.output[0]!), shapeOf(node.input[0]!)];
  return [unbroadcast(graph, dY, { from, to })];
}

/** With each axis [r n] seen as [r, n] the copies are summed over r. */
function tileGradients({ graph, node, shapeOf }: RuleContext, dY: string): InputGradients {
  const [x, repeats] = node.input as [string, string];
  const rank = shapeOf(x).length;
  if (rank === 0) return [dY];
  const column = (value: string): string => graph.node('Unsqueeze', [value, graph.ints([1])]);
  const pairs = graph.node('Concat', [column(repeats), column(graph.node('Shape', [x]))], {
    axis: { int: 1 },
  });
  const copies = graph.node('Reshape', [dY, graph.node('Reshape', [pairs, graph.ints([-1])])]);
  const axes = graph.ints(Array.from({ length: rank }, (_, axis) => 2 * axis));
  return [graph.node('ReduceSum', [copies, axes], { keepdims: { int: 0 } })];
}
