import type { GraphBuilder } from '../graph-builder.ts';
import type { Shape } from '../model/shape.ts';

/** The mean of a value of that shape over some axes, which stay with size 1. */
export function meanOver(
  graph: GraphBuilder,
  value: string,
  { shape, axes }: { readonly shape: Shape; readonly axes: readonly number[] },
): string {
  const sum = graph.node('ReduceSum', [value, graph.ints(axes)], { keepdims: { int: 1 } });
  const sizes = axes.map((axis) => shape[axis]!);
  if (sizes.every((size) => size !== null)) {
    const count = sizes.reduce((product, size) => product * size, 1);
    return graph.node('Mul', [sum, graph.float(1 / count)]);
  }
  return graph.node('Div', [sum, sizeRatio(graph, value, sum)]);
}

/** How many elements of one value there are to each of another, a float scalar. */
export function sizeRatio(graph: GraphBuilder, many: string, few: string): string {
  const ratio = graph.node('Div', [graph.node('Size', [many]), graph.node('Size', [few])]);
  return graph.node('Cast', [ratio], { to: { int: graph.floatType } });
}
