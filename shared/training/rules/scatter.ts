import type { GraphBuilder } from '../graph-builder.ts';

/** Zeros of the shape of `value`. */
export function zerosLike(graph: GraphBuilder, value: string): string {
  return graph.node('Expand', [graph.float(0), graph.node('Shape', [value])]);
}

/** The place of each element of `value` in it, counted in row-major order: int64 of its shape. */
export function elementPlaces(graph: GraphBuilder, value: string): string {
  const scalar = (int: number): string => graph.node('Squeeze', [graph.ints([int])]);
  const places = graph.node('Range', [scalar(0), graph.node('Size', [value]), scalar(1)]);
  return graph.node('Reshape', [places, graph.node('Shape', [value])]);
}

/**
 * The gradient of an operator that only takes elements of `x` to other places, perhaps to several:
 * each element of dY is added to where it came from. `origin` [shape of dY] has the places in `x`,
 * which is what the operator itself makes of `elementPlaces`.
 */
export function addToOrigins(
  graph: GraphBuilder,
  x: string,
  { dY, origin }: { dY: string; origin: string },
): string {
  const flat = (value: string): string => graph.node('Reshape', [value, graph.ints([-1])]);
  const sums = graph.node('ScatterElements', [flat(zerosLike(graph, x)), flat(origin), flat(dY)], {
    reduction: { string: 'add' },
  });
  return graph.node('Reshape', [sums, graph.node('Shape', [x])]);
}
