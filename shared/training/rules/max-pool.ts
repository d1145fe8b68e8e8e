import type { GraphBuilder } from '../graph-builder.ts';
import { intAttribute, intsAttribute, stringAttribute } from '../model/attributes.ts';
import { dataType } from '../model/onnx-proto.ts';
import { shapeSize } from '../model/onnx-tensor.ts';
import { opsetRange } from '../model/source-graph.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';

/** The largest of each window: X [N, C, ...] -> Y [N, C, ...], and Indices of its shape. */
export const maxPoolRule: Rule = {
  operator: 'MaxPool',
  domain: '',
  opsets: opsetRange,
  outputs: 2,
  shapes: ({ input }) => [input[0]!],
  refuses: ({ node }) =>
    intAttribute(node, 'storage_order', 0) === 0 ? undefined : 'storage_order 1',
  gradients(context, dY) {
    const sizes = tileSizes(context);
    return sizes === undefined ? byIndices(context, dY) : byTiles(context, { dY, ...sizes });
  },
};

interface Tiles {
  readonly kernel: readonly number[];
  readonly spatial: readonly number[];
}

/**
 * The sizes of windows that lie side by side and cover X; `undefined` of others, and where the
 * runtime lacks the operators for the type.
 */
function tileSizes({ graph, node, shapeOf }: RuleContext): Tiles | undefined {
  const kernel = intsAttribute(node, 'kernel_shape') ?? [];
  const ones = kernel.map(() => 1);
  const isTiling =
    graph.floatType === dataType.float32 &&
    stringAttribute(node, 'auto_pad', 'NOTSET') === 'NOTSET' &&
    (intsAttribute(node, 'strides') ?? ones).every((stride, axis) => stride === kernel[axis]) &&
    (intsAttribute(node, 'dilations') ?? ones).every((dilation) => dilation === 1) &&
    (intsAttribute(node, 'pads') ?? []).every((pad) => pad === 0);
  if (!isTiling) return undefined;
  const spatial = shapeOf(node.input[0]!).slice(2);
  const isCovered = kernel.every((size, axis) => (spatial[axis] ?? 0.5) % size === 0);
  return isCovered ? { kernel, spatial: spatial as number[] } : undefined;
}

/**
 * Each window's gradient goes to the element it chose, the first of equal ones. ONNX numbers the
 * elements through the whole of X.
 */
function byIndices({ graph, node }: RuleContext, dY: string): InputGradients {
  const x = node.input[0]!;
  const flat = (value: string) => graph.node('Reshape', [value, graph.ints([-1])]);
  const shape = graph.node('Shape', [x]);
  const zeros = graph.node('Expand', [graph.float(0), flat(graph.node('Size', [x]))]);
  const [, chosen] = node.output as [string, string];
  const sums = graph.node('ScatterElements', [zeros, flat(chosen), flat(dY)], {
    reduction: { string: 'add' },
  });
  return [graph.node('Reshape', [sums, shape])];
}

/**
 * The same without Indices, which take ONNX Runtime 1.30 ten times as long as the pooling itself:
 * an element is chosen if it equals the largest of its window, and no other one that does comes
 * before it, which pooling once more finds.
 */
function byTiles(
  { graph, node }: RuleContext,
  { dY, kernel, spatial }: Tiles & { readonly dY: string },
): InputGradients {
  const spread = (value: string) => enlarged(graph, value, kernel);
  const equal = (...values: [string, string]) =>
    graph.node('Cast', [graph.node('Equal', values)], { to: { int: graph.floatType } });
  const largest = equal(node.input[0]!, spread(node.output[0]!));
  const ranked = graph.node('Mul', [largest, ranks(graph, { kernel, spatial })]);
  const sizes = { kernel_shape: { ints: kernel }, strides: { ints: kernel } };
  const chosen = equal(ranked, spread(graph.node('MaxPool', [ranked], sizes)));
  return [graph.node('Mul', [chosen, spread(dY)])];
}

/** Each element k times along each axis. */
function enlarged(graph: GraphBuilder, value: string, kernel: readonly number[]): string {
  const scales = graph.node('Cast', [graph.ints([1, 1, ...kernel])], {
    to: { int: dataType.float32 },
  });
  return graph.node('Resize', [value, '', scales], {
    mode: { string: 'nearest' },
    coordinate_transformation_mode: { string: 'asymmetric' },
    nearest_mode: { string: 'floor' },
  });
}

/** The windows' elements numbered from their count down to 1, [...spatial]. */
function ranks(graph: GraphBuilder, { kernel, spatial }: Tiles): string {
  const count = shapeSize(kernel);
  const window = graph.ints(Array.from({ length: count }, (_, place) => count - place));
  const shaped = graph.node('Reshape', [window, graph.ints(kernel)]);
  const repeats = graph.ints(spatial.map((size, axis) => size / kernel[axis]!));
  const tiled = graph.node('Tile', [shaped, repeats]);
  return graph.node('Cast', [tiled], { to: { int: graph.floatType } });
}
