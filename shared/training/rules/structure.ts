import { opsetRange } from '../model/source-graph.ts';
import type { Rule } from './rule.ts';

/** Operators that move elements and leave their values as they are. */
export const structureRules: readonly Rule[] = [
  { operator: 'Identity', domain: '', opsets: opsetRange, gradients: (_, dY) => [dY] },
  restoresShape('Reshape'),
  restoresShape('Flatten'),
];

function restoresShape(operator: string): Rule {
  return {
    operator,
    domain: '',
    opsets: opsetRange,
    gradients({ graph, node }, dY) {
      return [graph.node('Reshape', [dY, graph.node('Shape', [node.input[0]!])])];
    },
  };
}
