import type { GraphBuilder } from '../graph-builder.ts';
import { opsetRange } from '../model/source-graph.ts';
import type { Rule } from './rule.ts';

/** Functions of one tensor, element by element; each gradient is made from the output `y`. */
export const activationRules: readonly Rule[] = [
  activation('Relu', (graph, { y, dY }) => {
    const passes = graph.node('Greater', [y, graph.float(0)]);
    return graph.node('Where', [passes, dY, graph.float(0)]);
  }),
  activation('Tanh', (graph, { y, dY }) => {
    const slope = graph.node('Sub', [graph.float(1), graph.node('Mul', [y, y])]);
    return graph.node('Mul', [dY, slope]);
  }),
  activation('Sigmoid', (graph, { y, dY }) => {
    const slope = graph.node('Mul', [y, graph.node('Sub', [graph.float(1), y])]);
    return graph.node('Mul', [dY, slope]);
  }),
];

function activation(
  operator: string,
  gradient: (graph: GraphBuilder, values: { readonly y: string; readonly dY: string }) => string,
): Rule {
  return {
    operator,
    domain: '',
    opsets: opsetRange,
    gradients: ({ graph, node }, dY) => [gradient(graph, { y: node.output[0]!, dY })],
  };
}
