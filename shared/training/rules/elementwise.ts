import type { GraphBuilder } from '../graph-builder.ts';
import { opsetRange } from '../model/source-graph.ts';
import { unbroadcast } from './broadcasting.ts';
import type { Rule } from './rule.ts';

/** The gradients of `a op b` by `a` and by `b`, before broadcasting is undone. */
type Partials = (
  graph: GraphBuilder,
  operands: { readonly a: string; readonly b: string; readonly dY: string },
) => readonly [a: () => string, b: () => string];

/** Arithmetic on two tensors, element by element, that broadcast to one shape. */
export const elementwiseRules: readonly Rule[] = [
  binary('Add', (_, { dY }) => [() => dY, () => dY]),
  binary('Sub', (graph, { dY }) => [() => dY, () => graph.node('Neg', [dY])]),
  binary('Mul', (graph, { a, b, dY }) => [
    () => graph.node('Mul', [dY, b]),
    () => graph.node('Mul', [dY, a]),
  ]),
];

function binary(operator: string, partials: Partials): Rule {
  return {
    operator,
    domain: '',
    opsets: opsetRange,
    shapes: ({ input, output }) => [...input, ...output],
    gradients({ graph, node, wants, shapeOf }, dY) {
      const [a, b] = node.input as [string, string];
      const from = shapeOf(node.output[0]!);
      return partials(graph, { a, b, dY }).map((partial, index) =>
        wants(index)
          ? unbroadcast(graph, partial(), { from, to: shapeOf(node.input[index]!) })
          : undefined,
      );
    },
  };
}
