import type { GraphBuilder } from '../graph-builder.ts';
import { opsetRange } from '../model/source-graph.ts';
import { unbroadcast } from './broadcasting.ts';
import { constantInput } from './constant-input.ts';
import type { Rule, RuleContext } from './rule.ts';

interface Operands {
  readonly context: RuleContext;
  readonly inputs: readonly string[];
  readonly y: string;
  readonly dY: string;
}

/** The gradient by input `index`, before broadcasting is undone. */
type Partial = (graph: GraphBuilder, index: number, operands: Operands) => string;

/** Arithmetic on tensors, element by element, that broadcast to one shape. */
export const elementwiseRules: readonly Rule[] = [
  elementwise('Add', (_graph, _index, { dY }) => dY),
  elementwise('Sub', (graph, index, { dY }) => (index === 0 ? dY : graph.node('Neg', [dY]))),
  elementwise('Mul', (graph, index, { inputs, dY }) => graph.node('Mul', [dY, inputs[1 - index]!])),
  elementwise('Div', divPartial),
  elementwise('Pow', powPartial),
  elementwise('Sum', (_graph, _index, { dY }) => dY),
  elementwise('Mean', (graph, _index, { inputs, dY }) =>
    graph.node('Mul', [dY, graph.float(1 / inputs.length)]),
  ),
  elementwise('Max', extremePartial),
  elementwise('Min', extremePartial),
  elementwise('Where', wherePartial),
];

function elementwise(operator: string, partial: Partial): Rule {
  return {
    operator,
    domain: '',
    opsets: opsetRange,
    shapes: ({ input, output }) => [...input, ...output],
    gradients(context, dY) {
      const { graph, node, wants, shapeOf } = context;
      const y = node.output[0]!;
      const operands = { context, inputs: node.input, y, dY };
      return node.input.map((input, index) =>
        wants(index)
          ? unbroadcast(graph, partial(graph, index, operands), {
              from: shapeOf(y),
              to: shapeOf(input),
            })
          : undefined,
      );
    },
  };
}

/** d(a / b) / da = 1 / b; d(a / b) / db = -y / b. */
function divPartial(graph: GraphBuilder, index: number, { inputs, y, dY }: Operands): string {
  const quotient = graph.node('Div', [dY, inputs[1]!]);
  return index === 0 ? quotient : graph.node('Neg', [graph.node('Mul', [quotient, y])]);
}

/**
 * d a^b / da = b a^(b - 1), and 0 for b = 0 even where a is 0; d a^b / db = y ln a, and 0 where a
 * is 0 (as PyTorch). The exponent may be of another type than the base.
 */
function powPartial(graph: GraphBuilder, index: number, operands: Operands): string {
  const { context, inputs, y, dY } = operands;
  const [base, given] = inputs as [string, string];
  const zero = graph.float(0);
  if (index === 1) {
    const slope = graph.node('Mul', [y, graph.node('Log', [base])]);
    const isZero = graph.node('Equal', [base, zero]);
    const gradient = graph.node('Mul', [dY, graph.node('Where', [isZero, zero, slope])]);
    return graph.node('CastLike', [gradient, given]);
  }
  const isFixed = !context.wants(1) && context.shapeOf(given).length === 0;
  const fixed = isFixed ? constantInput(context, 1)?.[0] : undefined;
  if (fixed !== undefined && fixed > 0) return powerRule(graph, { base, exponent: fixed, dY });
  const exponent = graph.node('CastLike', [given, base]);
  const lowered = graph.node('Pow', [base, graph.node('Sub', [exponent, graph.float(1)])]);
  const slope = graph.node('Mul', [exponent, lowered]);
  const isZero = graph.node('Equal', [exponent, zero]);
  return graph.node('Mul', [dY, graph.node('Where', [isZero, zero, slope])]);
}

/** The same for a known exponent; a square gets by without Pow. */
function powerRule(
  graph: GraphBuilder,
  { base, exponent, dY }: { base: string; exponent: number; dY: string },
): string {
  const scaled = graph.node('Mul', [dY, graph.float(exponent)]);
  const lowered = exponent === 2 ? base : graph.node('Pow', [base, graph.float(exponent - 1)]);
  return graph.node('Mul', [scaled, lowered]);
}

/** Where several inputs are the largest (or smallest) they share dY equally, as in PyTorch. */
function extremePartial(graph: GraphBuilder, index: number, { inputs, y, dY }: Operands): string {
  const isExtreme = inputs.map((input) => graph.node('Equal', [input, y]));
  const ones = isExtreme.map((mask) =>
    graph.node('Cast', [mask], { to: { int: graph.floatType } }),
  );
  const share = graph.node('Div', [dY, graph.node('Sum', ones)]);
  return graph.node('Where', [isExtreme[index]!, share, graph.float(0)]);
}

function wherePartial(graph: GraphBuilder, index: number, { inputs, dY }: Operands): string {
  const zero = graph.float(0);
  return graph.node('Where', index === 1 ? [inputs[0]!, dY, zero] : [inputs[0]!, zero, dY]);
}
