import type { GraphBuilder } from '../graph-builder.ts';
import type { Shape } from '../model/shape.ts';

/**
 * Sums a gradient of shape `from` over the axes along which a value of shape `to` was broadcast,
 * so that it gets that value's shape (ONNX, Broadcasting: shapes are aligned at their last axis).
 */
export function unbroadcast(
  graph: GraphBuilder,
  gradient: string,
  { from, to }: { from: Shape; to: Shape },
): string {
  const added = from.length - to.length;
  const stretched = to.flatMap((size, axis) =>
    size === 1 && from[axis + added] !== 1 ? [axis] : [],
  );
  let sum = gradient;
  if (added > 0) {
    const axes = graph.ints(Array.from({ length: added }, (_, axis) => axis));
    sum = graph.node('ReduceSum', [sum, axes], { keepdims: { int: 0 } });
  }
  if (stretched.length > 0) {
    sum = graph.node('ReduceSum', [sum, graph.ints(stretched)], { keepdims: { int: 1 } });
  }
  return sum;
}
