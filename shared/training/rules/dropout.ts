import { opsetRange } from '../model/source-graph.ts';
import { hasInput } from './constant-input.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';

/**
 * Dropout. At inference y = x. In training mode y = x mask / (1 - ratio), and dX is the same of dY,
 * with the mask of the forward pass.
 */
export const dropoutRules: readonly Rule[] = [
  {
    operator: 'Dropout',
    domain: '',
    opsets: opsetRange,
    // The second one is the mask.
    outputs: 2,
    gradients: dropoutGradients,
  },
];

function dropoutGradients(context: RuleContext, dY: string): InputGradients {
  if (!drops(context)) return [dY];
  const { graph, node } = context;
  const [, ratio = '', isTraining] = node.input as [string, string | undefined, string];
  const kept = ratio === '' ? graph.float(0.5) : oneMinus(context, ratio);
  const one = graph.float(1);
  const scaled = graph.node('Div', [dY, graph.node('Where', [isTraining, kept, one])]);
  return [graph.node('Where', [node.output[1]!, scaled, graph.float(0)])];
}

function oneMinus({ graph }: RuleContext, ratio: string): string {
  const one = graph.float(1);
  return graph.node('Sub', [one, graph.node('CastLike', [ratio, one])]);
}

/** Whether the node may be in training mode. */
function drops(context: RuleContext): boolean {
  if (!hasInput(context, 2)) return false;
  const mode = context.constantOf(context.node.input[2]!);
  return mode === undefined || mode.rawData?.[0] === 1 || mode.int32Data[0] === 1;
}
