import { floatAttribute, intAttribute } from '../model/attributes.ts';
import { opsetRange } from '../model/source-graph.ts';
import { channelwise, spatialAxes } from './channels.ts';
import { channelGradients } from './normalisation.ts';
import { normalise } from './normalised.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';

/**
 * Ioffe & Szegedy, arXiv 1502.03167: X [N, C, ...], scale, shift, mean and variance [C]. Trained as
 * it is written: by the statistics given, or (`training_mode`) by those of the batch. The given
 * ones are measurements, not parameters: they get no gradient and keep their values.
 */
export const batchNormalisationRules: readonly Rule[] = [
  {
    operator: 'BatchNormalization',
    domain: '',
    opsets: opsetRange,
    shapes: ({ input }) => [input[0]!],
    refuses: ({ node, wants, constantOf }) =>
      [3, 4].some((index) => wants(index) && constantOf(node.input[index]!) === undefined)
        ? 'statistics that the model calculates'
        : undefined,
    gradients: (context, dY) =>
      intAttribute(context.node, 'training_mode', 0) === 1
        ? byBatchStatistics(context, dY)
        : byGivenStatistics(context, dY),
  },
];

function byBatchStatistics(context: RuleContext, dY: string): InputGradients {
  const { graph, node, shapeOf } = context;
  const x = node.input[0]!;
  const shape = shapeOf(x);
  const axes = [0, ...spatialAxes(shape)];
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const parts = normalise(graph, x, { shape, axes, epsilon, centred: true });
  return channelGradients(context, { ...parts, dY, shape });
}

function byGivenStatistics(context: RuleContext, dY: string): InputGradients {
  const { graph, node, shapeOf } = context;
  const [x, , , mean, variance] = node.input as [string, string, string, string, string];
  const shape = shapeOf(x);
  const epsilon = graph.float(floatAttribute(node, 'epsilon', 1e-5));
  const root = graph.node('Sqrt', [graph.node('Add', [variance, epsilon])]);
  const factor = channelwise(graph, graph.node('Reciprocal', [root]), shape);
  const deviation = graph.node('Sub', [x, channelwise(graph, mean, shape)]);
  return channelGradients(context, {
    normal: graph.node('Mul', [deviation, factor]),
    gradient: (dNormal) => graph.node('Mul', [dNormal, factor]),
    dY,
    shape,
  });
}
