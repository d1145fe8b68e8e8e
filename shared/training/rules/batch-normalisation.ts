import { batchValueNames, usesBatchStatistics } from '../batch-statistics.ts';
import { floatAttribute } from '../model/attributes.ts';
import { opsetRange } from '../model/source-graph.ts';
import { channelwise, sumPerChannel } from './channels.ts';
import { channelGradients } from './normalisation.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';

/**
 * Ioffe & Szegedy, arXiv 1502.03167: X [N, C, ...], scale, shift, mean and variance [C]. Trained as
 * it is written: by the statistics given, or (`training_mode`) by those of the batch. The given
 * ones are measurements, not parameters: they get no gradient (`batch-statistics.ts` carries them).
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
      usesBatchStatistics(context.node)
        ? byBatchStatistics(context, dY)
        : byGivenStatistics(context, dY),
  },
];

/**
 * With n = (x - mean) r, r = 1 / sqrt(variance + epsilon) and w the weight of an element in the
 * statistics, which is 0 in rows that fill up a batch: dx = r (dn - w sum(dn) - w n sum(dn n)).
 */
function byBatchStatistics(context: RuleContext, dY: string): InputGradients {
  const { graph, node, shapeOf } = context;
  const shape = shapeOf(node.input[0]!);
  const { mean, variance, shares } = batchValueNames(node);
  const { normal, factor } = normalised(context, { mean, variance });
  const times = (a: string, b: string) => graph.node('Mul', [a, b]);
  const weights = graph.node('Unsqueeze', [
    shares,
    graph.ints(shape.slice(1).map((_, i) => i + 1)),
  ]);
  const shareOf = (value: string) =>
    times(channelwise(graph, sumPerChannel(graph, value, shape), shape), weights);
  return channelGradients(context, {
    normal,
    gradient(dNormal) {
      const level = graph.node('Sub', [dNormal, shareOf(dNormal)]);
      const along = times(normal, shareOf(times(dNormal, normal)));
      return times(factor, graph.node('Sub', [level, along]));
    },
    dY,
    shape,
  });
}

function byGivenStatistics(context: RuleContext, dY: string): InputGradients {
  const { graph, node, shapeOf } = context;
  const [, , , mean, variance] = node.input as [string, string, string, string, string];
  const { normal, factor } = normalised(context, { mean, variance });
  return channelGradients(context, {
    normal,
    gradient: (dNormal) => graph.node('Mul', [dNormal, factor]),
    dY,
    shape: shapeOf(node.input[0]!),
  });
}

/** (x - mean) / sqrt(variance + epsilon), and what it was multiplied by. */
function normalised(
  { graph, node, shapeOf }: RuleContext,
  { mean, variance }: { readonly mean: string; readonly variance: string },
): { readonly normal: string; readonly factor: string } {
  const x = node.input[0]!;
  const shape = shapeOf(x);
  const epsilon = graph.float(floatAttribute(node, 'epsilon', 1e-5));
  const root = graph.node('Sqrt', [graph.node('Add', [variance, epsilon])]);
  const factor = channelwise(graph, graph.node('Reciprocal', [root]), shape);
  const deviation = graph.node('Sub', [x, channelwise(graph, mean, shape)]);
  return { normal: graph.node('Mul', [deviation, factor]), factor };
}
