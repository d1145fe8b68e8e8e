import type { GraphBuilder } from '../graph-builder.ts';
import { floatAttribute, stringAttribute } from '../model/attributes.ts';
import { opsetRange } from '../model/source-graph.ts';
import { unbroadcast } from './broadcasting.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';

interface Activation {
  readonly x: string;
  readonly y: string;
  readonly dY: string;
  /** A float attribute of the node, or its default. */
  attribute(name: string, fallback: number): number;
}

type Gradient = (graph: GraphBuilder, values: Activation) => string;

/**
 * Activation functions, element by element (ONNX, Operators); made from the output where that takes
 * fewer nodes. At a kink the slope is PyTorch's.
 */
export const activationRules: readonly Rule[] = [
  activation('Relu', (graph, { y, dY }) =>
    graph.node('Where', [isPositive(graph, y), dY, graph.float(0)]),
  ),
  activation('LeakyRelu', (graph, { x, dY, attribute }) => {
    const lowered = graph.node('Mul', [dY, graph.float(attribute('alpha', 0.01))]);
    return graph.node('Where', [isPositive(graph, x), dY, lowered]);
  }),
  activation('ThresholdedRelu', (graph, { x, dY, attribute }) => {
    const passes = graph.node('Greater', [x, graph.float(attribute('alpha', 1))]);
    return graph.node('Where', [passes, dY, graph.float(0)]);
  }),
  // Where x <= 0: y = alpha (e^x - 1), and so y' = y + alpha.
  activation('Elu', (graph, { x, y, dY, attribute }) => {
    const slope = graph.node('Add', [y, graph.float(attribute('alpha', 1))]);
    return scaledBelowZero(graph, { x, dY, slope });
  }),
  activation('Selu', seluGradient),
  // Where x <= 0: y = alpha (e^(x / alpha) - 1), and so y' = y / alpha + 1.
  activation('Celu', (graph, { x, y, dY, attribute }) => {
    const ratio = graph.node('Mul', [y, graph.float(1 / attribute('alpha', 1))]);
    return scaledBelowZero(graph, { x, dY, slope: graph.node('Add', [ratio, graph.float(1)]) });
  }),
  activation('Sigmoid', (graph, { y, dY }) => {
    const slope = graph.node('Mul', [y, graph.node('Sub', [graph.float(1), y])]);
    return graph.node('Mul', [dY, slope]);
  }),
  activation('HardSigmoid', (graph, { y, dY, attribute }) => {
    const low = graph.node('Less', [y, graph.float(1)]);
    const slope = graph.node('Mul', [dY, graph.float(attribute('alpha', 0.2))]);
    const passes = graph.node('And', [isPositive(graph, y), low]);
    return graph.node('Where', [passes, slope, graph.float(0)]);
  }),
  activation('HardSwish', hardSwishGradient, 14),
  activation('Softplus', (graph, { x, dY }) => graph.node('Mul', [dY, graph.node('Sigmoid', [x])])),
  // y = x / (1 + |x|); y' = 1 / (1 + |x|)^2
  activation('Softsign', (graph, { x, dY }) => {
    const denominator = graph.node('Add', [graph.node('Abs', [x]), graph.float(1)]);
    return graph.node('Div', [graph.node('Div', [dY, denominator]), denominator]);
  }),
  activation('Mish', mishGradient, 18),
  geluRule(),
  {
    operator: 'PRelu',
    domain: '',
    opsets: opsetRange,
    shapes: ({ input }) => input,
    gradients: pReluGradients,
  },
];

function activation(
  operator: string,
  gradient: Gradient,
  oldest: number = opsetRange.oldest,
): Rule {
  return {
    operator,
    domain: '',
    opsets: { oldest, newest: opsetRange.newest },
    gradients({ graph, node }, dY) {
      const attribute = (name: string, fallback: number) => floatAttribute(node, name, fallback);
      return [gradient(graph, { x: node.input[0]!, y: node.output[0]!, dY, attribute })];
    },
  };
}

function isPositive(graph: GraphBuilder, value: string): string {
  return graph.node('Greater', [value, graph.float(0)]);
}

function scaledBelowZero(
  graph: GraphBuilder,
  { x, dY, slope }: { x: string; dY: string; slope: string },
): string {
  return graph.node('Where', [isPositive(graph, x), dY, graph.node('Mul', [dY, slope])]);
}

/** y = gamma x where x > 0, else gamma alpha (e^x - 1), and there y' = y + gamma alpha. */
function seluGradient(graph: GraphBuilder, { x, y, dY, attribute }: Activation): string {
  const alpha = attribute('alpha', 1.6732632423543772);
  const gamma = attribute('gamma', 1.0507009873554805);
  const slope = graph.node('Where', [
    isPositive(graph, x),
    graph.float(gamma),
    graph.node('Add', [y, graph.float(alpha * gamma)]),
  ]);
  return graph.node('Mul', [dY, slope]);
}

/** y = x h(x), h = x / 6 + 1 / 2 clipped to [0, 1]; between its limits y' = x / 3 + 1 / 2. */
function hardSwishGradient(graph: GraphBuilder, { x, dY }: Activation): string {
  const third = graph.node('Mul', [x, graph.float(1 / 3)]);
  const middle = graph.node('Mul', [dY, graph.node('Add', [third, graph.float(0.5)])]);
  const isHigh = graph.node('GreaterOrEqual', [x, graph.float(3)]);
  const isLow = graph.node('LessOrEqual', [x, graph.float(-3)]);
  const upper = graph.node('Where', [isHigh, dY, middle]);
  return graph.node('Where', [isLow, graph.float(0), upper]);
}

/** y = x t, t = tanh(softplus(x)); y' = t + x (1 - t^2) sigmoid(x). */
function mishGradient(graph: GraphBuilder, { x, dY }: Activation): string {
  const t = graph.node('Tanh', [graph.node('Softplus', [x])]);
  const bend = graph.node('Sub', [graph.float(1), graph.node('Mul', [t, t])]);
  const inner = graph.node('Mul', [graph.node('Sigmoid', [x]), bend]);
  const slope = graph.node('Add', [t, graph.node('Mul', [x, inner])]);
  return graph.node('Mul', [dY, slope]);
}

function geluRule(): Rule {
  return {
    operator: 'Gelu',
    domain: '',
    opsets: { oldest: 20, newest: opsetRange.newest },
    gradients({ graph, node }, dY) {
      const isTanh = stringAttribute(node, 'approximate', 'none') === 'tanh';
      const slope = isTanh ? geluTanhSlope : geluSlope;
      return [graph.node('Mul', [dY, slope(graph, node.input[0]!)])];
    },
  };
}

/** y = x P(x) with P(x) = (1 + erf(x / sqrt 2)) / 2; y' = P(x) + x e^(-x^2 / 2) / sqrt(2 pi). */
function geluSlope(graph: GraphBuilder, x: string): string {
  const erf = graph.node('Erf', [graph.node('Mul', [x, graph.float(Math.SQRT1_2)])]);
  const p = graph.node('Mul', [graph.node('Add', [erf, graph.float(1)]), graph.float(0.5)]);
  const power = graph.node('Mul', [graph.node('Mul', [x, x]), graph.float(-0.5)]);
  const density = graph.node('Mul', [
    graph.node('Exp', [power]),
    graph.float(1 / Math.sqrt(2 * Math.PI)),
  ]);
  return graph.node('Add', [p, graph.node('Mul', [x, density])]);
}

/** y = x (1 + t) / 2, t = tanh(k (x + c x^3)); y' = (1 + t + x (1 - t^2) k (1 + 3 c x^2)) / 2. */
function geluTanhSlope(graph: GraphBuilder, x: string): string {
  const k = graph.float(Math.sqrt(2 / Math.PI));
  const one = graph.float(1);
  const x2 = graph.node('Mul', [x, x]);
  const c = 0.044715;
  const bent = (factor: number) =>
    graph.node('Add', [graph.node('Mul', [x2, graph.float(factor)]), one]);
  const inner = graph.node('Mul', [graph.node('Mul', [x, bent(c)]), k]);
  const t = graph.node('Tanh', [inner]);
  const dT = graph.node('Sub', [one, graph.node('Mul', [t, t])]);
  const dInner = graph.node('Mul', [bent(3 * c), k]);
  const bend = graph.node('Mul', [graph.node('Mul', [x, dT]), dInner]);
  const doubled = graph.node('Add', [graph.node('Add', [t, bend]), one]);
  return graph.node('Mul', [doubled, graph.float(0.5)]);
}

/** y = x where x > 0, else slope x; the slope broadcasts to x. */
function pReluGradients({ graph, node, wants, shapeOf }: RuleContext, dY: string): InputGradients {
  const [x, slope] = node.input as [string, string];
  const passes = isPositive(graph, x);
  const dX = () => graph.node('Where', [passes, dY, graph.node('Mul', [dY, slope])]);
  const dSlope = () => {
    const below = graph.node('Where', [passes, graph.float(0), graph.node('Mul', [dY, x])]);
    return unbroadcast(graph, below, { from: shapeOf(x), to: shapeOf(slope) });
  };
  return [wants(0) ? dX() : undefined, wants(1) ? dSlope() : undefined];
}
