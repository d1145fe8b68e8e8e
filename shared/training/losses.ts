import type { GraphBuilder } from './graph-builder.ts';
import { shapeSize } from './model/onnx-tensor.ts';

export type LossName = 'mse';

export interface LossTerms {
  /** [B, ...dimensions] */
  readonly prediction: string;
  readonly target: string;
  /** [B], adding up to 1. */
  readonly weights: string;
  /** The shape of one example's prediction. */
  readonly dimensions: readonly number[];
}

export interface LossValues {
  readonly loss: string;
  /** d loss / d prediction, of the prediction's shape. */
  readonly gradient: string;
  readonly metric: string;
}

type LossRule = (graph: GraphBuilder, terms: LossTerms) => LossValues;

const lossRules: Readonly<Record<LossName, LossRule>> = { mse: meanSquaredError };

export function addLoss(graph: GraphBuilder, name: LossName, terms: LossTerms): LossValues {
  return lossRules[name](graph, terms);
}

/** Mean over the elements of (prediction - target)^2; the metric is the mean absolute error. */
function meanSquaredError(graph: GraphBuilder, terms: LossTerms): LossValues {
  const { prediction, target, dimensions } = terms;
  const share = 1 / shapeSize(dimensions);
  const error = graph.node('Sub', [prediction, target]);
  const weighted = graph.node('Mul', [error, exampleWeights(graph, terms)]);
  const squares = graph.node('ReduceSum', [graph.node('Mul', [weighted, error])], {
    keepdims: { int: 0 },
  });
  const magnitudes = graph.node('ReduceSum', [graph.node('Abs', [weighted])], {
    keepdims: { int: 0 },
  });
  return {
    loss: graph.node('Mul', [squares, graph.float(share)]),
    gradient: graph.node('Mul', [weighted, graph.float(2 * share)]),
    metric: graph.node('Mul', [magnitudes, graph.float(share)]),
  };
}

/** The weights with as many axes as the prediction has. */
function exampleWeights(graph: GraphBuilder, { weights, dimensions }: LossTerms): string {
  if (dimensions.length === 0) return weights;
  const axes = graph.ints(dimensions.map((_, axis) => axis + 1));
  return graph.node('Unsqueeze', [weights, axes]);
}
