import { ok, type Result } from '../basics/result.ts';
import { portNames } from './artefact-names.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { dataType } from './model/onnx-proto.ts';
import { shapeSize } from './model/onnx-tensor.ts';
import type { Port } from './model/shape.ts';
import { refuse, type TrainingFailure } from './training-failure.ts';

/** Of the batch: the mean over its examples, by their weights, and over the values of each. */
export type LossOptions =
  /** (prediction - target)^2 */
  | { readonly kind: 'mse' }
  /** The square up to an error of `delta` (1 unless given), and from there on a straight line. */
  | { readonly kind: 'huber'; readonly delta?: number }
  /**
   * Of logits; the classes lie along axis 1. The target is a class id (the logits' shape without
   * that axis) unless it is said to be probabilities (the logits' shape).
   */
  | { readonly kind: 'cross-entropy'; readonly target?: 'ids' | 'probabilities' }
  /** Of logits; the target is a probability for each, of the same shape. */
  | { readonly kind: 'binary-cross-entropy' };

export type LossName = LossOptions['kind'];

/** What a loss's metric is; the share of right answers is `accuracy`. */
export const lossMetrics = {
  mse: 'mean absolute error',
  huber: 'mean absolute error',
  'cross-entropy': 'accuracy',
  'binary-cross-entropy': 'accuracy',
} as const satisfies Record<LossName, string>;

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

/** A name stands for that loss with its defaults. */
export function readLossOptions(loss: LossName | LossOptions): LossOptions {
  return typeof loss === 'string' ? { kind: loss } : loss;
}

/** What the loss compares the output with, as it is fed. Errors: `output-unsupported`. */
export function targetPort(options: LossOptions, output: Port): Result<Port, TrainingFailure> {
  const port = { ...output, name: portNames.target };
  if (options.kind !== 'cross-entropy') return ok(port);
  const [batch, classes, ...others] = output.shape;
  if (batch === undefined || classes === undefined) {
    return refuse(
      'output-unsupported',
      `the output ${output.name} has no axis of classes for the cross-entropy; use another loss`,
    );
  }
  if (options.target === 'probabilities') return ok(port);
  return ok({ ...port, type: dataType.int64, shape: [batch, ...others] });
}

/** The classes that a target of ids chooses from; `undefined` where it is no such target. */
export function classCount(options: LossOptions, output: Port): number | undefined {
  if (options.kind !== 'cross-entropy' || options.target === 'probabilities') return undefined;
  return output.shape[1] ?? undefined;
}

/** Adds the loss, its gradient and its metric to the graph; each as PyTorch's `mean` reduction. */
export function addLoss(graph: GraphBuilder, options: LossOptions, terms: LossTerms): LossValues {
  switch (options.kind) {
    case 'mse':
      return meanSquaredError(graph, terms);
    case 'huber':
      return huber(graph, options.delta ?? 1, terms);
    case 'cross-entropy':
      return options.target === 'probabilities'
        ? crossEntropyOfProbabilities(graph, terms)
        : crossEntropyOfIds(graph, terms);
    case 'binary-cross-entropy':
      return binaryCrossEntropy(graph, terms);
  }
}

/** e^2 with e = prediction - target. */
function meanSquaredError(graph: GraphBuilder, terms: LossTerms): LossValues {
  const { prediction, target, dimensions } = terms;
  const share = 1 / shapeSize(dimensions);
  const error = graph.node('Sub', [prediction, target]);
  const weighted = graph.node('Mul', [error, exampleWeights(graph, terms)]);
  return {
    loss: scaledSum(graph, graph.node('Mul', [weighted, error]), share),
    gradient: graph.node('Mul', [weighted, graph.float(2 * share)]),
    metric: scaledSum(graph, graph.node('Abs', [weighted]), share),
  };
}

/**
 * Huber (1964): e^2 / 2 for |e| <= delta, else delta (|e| - delta / 2). With c = e clipped to
 * +-delta that is c (e - c / 2), and its slope is c.
 */
function huber(graph: GraphBuilder, delta: number, terms: LossTerms): LossValues {
  const { prediction, target, dimensions } = terms;
  const share = 1 / shapeSize(dimensions);
  const weights = exampleWeights(graph, terms);
  const error = graph.node('Sub', [prediction, target]);
  const clipped = graph.node('Clip', [error, graph.float(-delta), graph.float(delta)]);
  const slope = graph.node('Mul', [clipped, weights]);
  const half = graph.node('Mul', [clipped, graph.float(0.5)]);
  const lever = graph.node('Sub', [error, half]);
  const magnitudes = graph.node('Mul', [graph.node('Abs', [error]), weights]);
  return {
    loss: scaledSum(graph, graph.node('Mul', [slope, lever]), share),
    gradient: graph.node('Mul', [slope, graph.float(share)]),
    metric: scaledSum(graph, magnitudes, share),
  };
}

/** -log p[id] with log p = logits - log sum exp logits; the slope is p - [class = id]. */
function crossEntropyOfIds(graph: GraphBuilder, terms: LossTerms): LossValues {
  const { prediction, target, dimensions } = terms;
  const [classes, ...others] = dimensions as [number, ...number[]];
  const share = 1 / shapeSize(others);
  const weights = exampleWeights(graph, terms);
  const logP = graph.node('LogSoftmax', [prediction], { axis: { int: 1 } });
  const ids = graph.node('Unsqueeze', [target, graph.ints([1])]);
  const logPOfId = graph.node('GatherElements', [logP, ids], { axis: { int: 1 } });
  const isId = graph.node('Equal', [ids, classNumbers(graph, classes, others.length)]);
  const hit = graph.node('Cast', [isId], { to: { int: graph.floatType } });
  const difference = graph.node('Sub', [graph.node('Exp', [logP]), hit]);
  return {
    loss: scaledSum(graph, graph.node('Mul', [logPOfId, weights]), -share),
    gradient: scaled(graph, graph.node('Mul', [difference, weights]), share),
    metric: shareEqual(graph, [mostLikely(graph, prediction), ids], { weights, share }),
  };
}

/** -sum over classes of t log p; the slope is p sum t - t. */
function crossEntropyOfProbabilities(graph: GraphBuilder, terms: LossTerms): LossValues {
  const { prediction, target, dimensions } = terms;
  const share = 1 / shapeSize(dimensions.slice(1));
  const weights = exampleWeights(graph, terms);
  const logP = graph.node('LogSoftmax', [prediction], { axis: { int: 1 } });
  const weighted = graph.node('Mul', [target, weights]);
  const mass = graph.node('ReduceSum', [weighted, graph.ints([1])], { keepdims: { int: 1 } });
  const expected = graph.node('Mul', [graph.node('Exp', [logP]), mass]);
  const answers = [mostLikely(graph, prediction), mostLikely(graph, target)] as const;
  return {
    loss: scaledSum(graph, graph.node('Mul', [weighted, logP]), -share),
    gradient: scaled(graph, graph.node('Sub', [expected, weighted]), share),
    metric: shareEqual(graph, answers, { weights, share }),
  };
}

/**
 * -t log s(x) - (1 - t) log(1 - s(x)), with s the logistic function, as
 * max(x, 0) - x t + log(1 + exp(-|x|)), which neither overflows nor cancels; the slope is s(x) - t.
 */
function binaryCrossEntropy(graph: GraphBuilder, terms: LossTerms): LossValues {
  const { prediction, target, dimensions } = terms;
  const share = 1 / shapeSize(dimensions);
  const weights = exampleWeights(graph, terms);
  const linear = graph.node('Sub', [
    graph.node('Relu', [prediction]),
    graph.node('Mul', [prediction, target]),
  ]);
  const losses = graph.node('Add', [linear, logOnePlusExpOfMinus(graph, prediction)]);
  const difference = graph.node('Sub', [graph.node('Sigmoid', [prediction]), target]);
  const answers = [
    graph.node('Greater', [prediction, graph.float(0)]),
    graph.node('Greater', [target, graph.float(0.5)]),
  ] as const;
  return {
    loss: scaledSum(graph, graph.node('Mul', [losses, weights]), share),
    gradient: scaled(graph, graph.node('Mul', [difference, weights]), share),
    metric: shareEqual(graph, answers, { weights, share }),
  };
}

/** log(1 + exp(-|x|)) */
function logOnePlusExpOfMinus(graph: GraphBuilder, x: string): string {
  const magnitude = graph.node('Abs', [x]);
  // Softplus keeps the digits of a small result, but the runtime has it for float32 only.
  return graph.floatType === dataType.float32
    ? graph.node('Softplus', [graph.node('Neg', [magnitude])])
    : graph.node('Neg', [graph.node('Log', [graph.node('Sigmoid', [magnitude])])]);
}

/** The numbers 0 to `classes` - 1 along an axis that `axesAfter` others follow. */
function classNumbers(graph: GraphBuilder, classes: number, axesAfter: number): string {
  const limits = [0, classes, 1].map((value) => graph.node('Squeeze', [graph.ints([value])]));
  const numbers = graph.node('Range', limits);
  if (axesAfter === 0) return numbers;
  const axes = Array.from({ length: axesAfter }, (_, axis) => axis + 1);
  return graph.node('Unsqueeze', [numbers, graph.ints(axes)]);
}

/** The number of the largest value along the axis of classes, which stays, with size 1. */
function mostLikely(graph: GraphBuilder, values: string): string {
  return graph.node('ArgMax', [values], { axis: { int: 1 }, keepdims: { int: 1 } });
}

/** The weighted share of places where two tensors are equal. */
function shareEqual(
  graph: GraphBuilder,
  [a, b]: readonly [string, string],
  { weights, share }: { readonly weights: string; readonly share: number },
): string {
  const isEqual = graph.node('Equal', [a, b]);
  const ones = graph.node('Cast', [isEqual], { to: { int: graph.floatType } });
  return scaledSum(graph, graph.node('Mul', [ones, weights]), share);
}

function scaledSum(graph: GraphBuilder, values: string, factor: number): string {
  return scaled(graph, graph.node('ReduceSum', [values], { keepdims: { int: 0 } }), factor);
}

function scaled(graph: GraphBuilder, values: string, factor: number): string {
  return factor === 1 ? values : graph.node('Mul', [values, graph.float(factor)]);
}

/** The weights with as many axes as the prediction has. */
function exampleWeights(graph: GraphBuilder, { weights, dimensions }: LossTerms): string {
  if (dimensions.length === 0) return weights;
  const axes = graph.ints(dimensions.map((_, axis) => axis + 1));
  return graph.node('Unsqueeze', [weights, axes]);
}
