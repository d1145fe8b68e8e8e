import type { RuleContext } from './rule.ts';

/**
 * `value` in the shape of `like`. Its sizes are stated where no more than one varies: ONNX Runtime
 * 1.30 does not load some graphs in which a Reshape to a shape that is worked out stands before
 * another one, such as those of single examples, whose batch is known to be 1.
 */
export function shapedLike(
  { graph, knownShapeOf }: RuleContext,
  value: string,
  like: string,
): string {
  const shape = knownShapeOf(like);
  const isStated = shape !== undefined && shape.filter((size) => size === null).length < 2;
  const target = isStated
    ? graph.ints(shape.map((size) => size ?? -1))
    : graph.node('Shape', [like]);
  return graph.node('Reshape', [value, target]);
}
