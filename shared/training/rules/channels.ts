import type { GraphBuilder } from '../graph-builder.ts';
import type { Shape } from '../model/shape.ts';

/** Of [N, C, ...]: the axes after the channels. */
export function spatialAxes(shape: Shape): number[] {
  return shape.flatMap((_, axis) => (axis < 2 ? [] : [axis]));
}

/** A value [C] so that it broadcasts against one of shape [N, C, ...]. */
export function channelwise(graph: GraphBuilder, value: string, shape: Shape): string {
  const added = spatialAxes(shape).map((axis) => axis - 1);
  return added.length === 0 ? value : graph.node('Unsqueeze', [value, graph.ints(added)]);
}

/** [N, C, ...] -> [C] */
export function sumPerChannel(graph: GraphBuilder, value: string, shape: Shape): string {
  return graph.node('ReduceSum', [value, graph.ints([0, ...spatialAxes(shape)])], {
    keepdims: { int: 0 },
  });
}
