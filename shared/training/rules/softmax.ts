import type { GraphBuilder } from '../graph-builder.ts';
import { intAttribute, stringAttribute } from '../model/attributes.ts';
import { dataType } from '../model/onnx-proto.ts';
import { opsetRange } from '../model/source-graph.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';

/** Softmax along an axis, its logarithm, and the loss made of it (ONNX, operator set 13 on). */
export const softmaxRules: readonly Rule[] = [
  alongAxis('Softmax', softmaxGradient),
  alongAxis('LogSoftmax', logSoftmaxGradient),
  {
    operator: 'SoftmaxCrossEntropyLoss',
    domain: '',
    opsets: opsetRange,
    shapes: ({ input }) => [input[0]!],
    outputs: 2,
    gradientsOfMany: crossEntropyGradients,
  },
];

interface AlongAxis {
  /** The operator's output, and the gradient by it. */
  readonly y: string;
  readonly dY: string;
  readonly axis: number;
}

function alongAxis(
  operator: string,
  gradient: (graph: GraphBuilder, terms: AlongAxis) => string,
): Rule {
  return {
    operator,
    domain: '',
    opsets: opsetRange,
    gradients: ({ graph, node }, dY) => [
      gradient(graph, { y: node.output[0]!, dY, axis: intAttribute(node, 'axis', -1) }),
    ],
  };
}

/** dx = y (dy - sum(dy y)) */
export function softmaxGradient(graph: GraphBuilder, { y, dY, axis }: AlongAxis): string {
  const shared = sumAlong(graph, graph.node('Mul', [dY, y]), axis);
  return graph.node('Mul', [y, graph.node('Sub', [dY, shared])]);
}

/** dx = dy - exp(y) sum(dy) */
function logSoftmaxGradient(graph: GraphBuilder, { y, dY, axis }: AlongAxis): string {
  const shared = graph.node('Mul', [graph.node('Exp', [y]), sumAlong(graph, dY, axis)]);
  return graph.node('Sub', [dY, shared]);
}

/**
 * scores [N, C, ...], labels int [N, ...], weights [C] -> loss, log_prob [N, C, ...]. With p the
 * softmax of the scores and w the weight of a label (0 for `ignore_index`), the loss of one is
 * -w log p[label]; their mean is divided by the sum of w. The weights get no gradient.
 */
function crossEntropyGradients(
  context: RuleContext,
  [dLoss, dLogProb]: readonly (string | undefined)[],
): InputGradients {
  const { graph, node } = context;
  const logProb = node.output[1]!;
  const byLoss = dLoss === undefined ? undefined : lossByLogProb(context, dLoss);
  const parts = [byLoss, dLogProb].filter((part) => part !== undefined);
  const dY = parts.reduce((sum, part) => graph.node('Add', [sum, part]));
  return [logSoftmaxGradient(graph, { y: logProb, dY, axis: 1 })];
}

/** -w at each label, over what the reduction divides by, times the gradient of the loss. */
function lossByLogProb({ graph, node, shapeOf }: RuleContext, dLoss: string): string {
  const [scores, labels, weights] = node.input as [string, string, string | undefined];
  const shape = shapeOf(scores);
  const classes = graph.ints(Array.from({ length: shape[1]! }, (_, index) => index));
  const byClass = (value: string) =>
    shape.length === 2
      ? value
      : graph.node('Unsqueeze', [value, graph.ints(shape.slice(2).map((_, axis) => axis + 1))]);
  const ids = graph.node('Cast', [labels], { to: { int: dataType.int64 } });
  const label = graph.node('Unsqueeze', [ids, graph.ints([1])]);
  const isLabel = graph.node('Equal', [label, byClass(classes)]);
  const ignored = node.attribute.some(({ name }) => name === 'ignore_index')
    ? graph.ints([intAttribute(node, 'ignore_index', 0)])
    : undefined;
  const counts =
    ignored === undefined
      ? isLabel
      : graph.node('And', [isLabel, graph.node('Not', [graph.node('Equal', [label, ignored])])]);
  const marks = graph.node('Cast', [counts], { to: { int: graph.floatType } });
  const weighted = weights ? graph.node('Mul', [marks, byClass(weights)]) : marks;
  const reduction = stringAttribute(node, 'reduction', 'mean');
  const dEach = reduction === 'none' ? graph.node('Unsqueeze', [dLoss, graph.ints([1])]) : dLoss;
  const dSum = graph.node('Neg', [graph.node('Mul', [weighted, dEach])]);
  if (reduction !== 'mean') return dSum;
  return graph.node('Div', [dSum, graph.node('ReduceSum', [weighted], { keepdims: { int: 0 } })]);
}

function sumAlong(graph: GraphBuilder, value: string, axis: number): string {
  return graph.node('ReduceSum', [value, graph.ints([axis])], { keepdims: { int: 1 } });
}
