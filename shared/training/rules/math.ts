import type { GraphBuilder } from '../graph-builder.ts';
import { opsetRange } from '../model/source-graph.ts';
import { unbroadcast } from './broadcasting.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';

interface Values {
  readonly x: string;
  readonly y: string;
}

/** Adds dy/dx to the graph. */
type Slope = (graph: GraphBuilder, values: Values) => string;

/** Elementary functions of one tensor, element by element. */
export const mathRules: readonly Rule[] = [
  smooth('Sin', (graph, { x }) => graph.node('Cos', [x])),
  smooth('Cos', (graph, { x }) => graph.node('Neg', [graph.node('Sin', [x])])),
  smooth('Tan', (graph, { y }) => graph.node('Add', [square(graph, y), graph.float(1)])),
  smooth('Asin', (graph, { x }) => inverseRoot(graph, oneMinusSquare(graph, x))),
  smooth('Acos', (graph, { x }) =>
    graph.node('Neg', [inverseRoot(graph, oneMinusSquare(graph, x))]),
  ),
  smooth('Atan', (graph, { x }) => {
    const denominator = graph.node('Add', [square(graph, x), graph.float(1)]);
    return graph.node('Reciprocal', [denominator]);
  }),
  smooth('Sinh', (graph, { x }) => graph.node('Cosh', [x])),
  smooth('Cosh', (graph, { x }) => graph.node('Sinh', [x])),
  smooth('Tanh', (graph, { y }) => oneMinusSquare(graph, y)),
  smooth('Asinh', (graph, { x }) =>
    inverseRoot(graph, graph.node('Add', [square(graph, x), graph.float(1)])),
  ),
  smooth('Acosh', (graph, { x }) =>
    inverseRoot(graph, graph.node('Sub', [square(graph, x), graph.float(1)])),
  ),
  smooth('Atanh', (graph, { x }) => graph.node('Reciprocal', [oneMinusSquare(graph, x)])),
  smooth('Log', (graph, { x }) => graph.node('Reciprocal', [x])),
  smooth('Exp', (_, { y }) => y),
  smooth('Sqrt', (graph, { y }) => graph.node('Div', [graph.float(0.5), y])),
  smooth('Erf', (graph, { x }) => {
    const bell = graph.node('Exp', [graph.node('Neg', [square(graph, x)])]);
    return graph.node('Mul', [bell, graph.float(2 / Math.sqrt(Math.PI))]);
  }),
  // At 0 the slope is 0, as in PyTorch.
  smooth('Abs', (graph, { x }) => graph.node('Sign', [x])),
  smooth('Reciprocal', (graph, { y }) => graph.node('Neg', [square(graph, y)])),
  rule('Neg', ({ graph }, dY) => [graph.node('Neg', [dY])]),
  rule('Identity', (_, dY) => [dY]),
  rule('Cast', castBack),
  { ...rule('CastLike', castBack), opsets: { ...opsetRange, oldest: 15 } },
  { ...rule('Clip', clipGradients), shapes: ({ input }) => input.filter((name) => name !== '') },
];

function castBack({ graph, node }: RuleContext, dY: string): InputGradients {
  return [graph.node('CastLike', [dY, node.input[0]!])];
}

function rule(operator: string, gradients: (c: RuleContext, dY: string) => InputGradients): Rule {
  return { operator, domain: '', opsets: opsetRange, gradients };
}

function smooth(operator: string, slope: Slope): Rule {
  return rule(operator, ({ graph, node }, dY) => {
    const values = { x: node.input[0]!, y: node.output[0]! };
    return [graph.node('Mul', [dY, slope(graph, values)])];
  });
}

/** What is inside the limits passes; what is on one or beyond it belongs to the limit. */
function clipGradients({ graph, node, wants, shapeOf }: RuleContext, dY: string): InputGradients {
  const [x, low = '', high = ''] = node.input as [string, string?, string?];
  const masked = (mask: string, [inside, outside]: readonly [string, string]): string =>
    graph.node('Where', [mask, inside, outside]);
  const zero = graph.float(0);
  const isInside = [
    ...(low === '' ? [] : [graph.node('Greater', [x, low])]),
    ...(high === '' ? [] : [graph.node('Less', [x, high])]),
  ];
  const dX = isInside.reduce((gradient, mask) => masked(mask, [gradient, zero]), dY);
  const dLimit = (mask: string | undefined, limit: string): string => {
    const beyond = masked(mask!, [zero, dY]);
    return unbroadcast(graph, beyond, { from: shapeOf(x), to: shapeOf(limit) });
  };
  return [
    wants(0) ? dX : undefined,
    wants(1) ? dLimit(isInside[0], low) : undefined,
    wants(2) ? dLimit(isInside.at(-1), high) : undefined,
  ];
}

function square(graph: GraphBuilder, value: string): string {
  return graph.node('Mul', [value, value]);
}

function oneMinusSquare(graph: GraphBuilder, value: string): string {
  return graph.node('Sub', [graph.float(1), square(graph, value)]);
}

function inverseRoot(graph: GraphBuilder, value: string): string {
  return graph.node('Reciprocal', [graph.node('Sqrt', [value])]);
}
