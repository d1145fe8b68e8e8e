import type { GraphBuilder } from '../graph-builder.ts';
import { floatAttribute, intAttribute } from '../model/attributes.ts';
import type { Shape } from '../model/shape.ts';
import { opsetRange } from '../model/source-graph.ts';
import { unbroadcast } from './broadcasting.ts';
import type { Rule, RuleContext } from './rule.ts';

/** Products of matrices. With Y = A B: dA = dY B', dB = A' dY. */
export const linearRules: readonly Rule[] = [
  {
    operator: 'MatMul',
    domain: '',
    opsets: opsetRange,
    shapes: ({ input, output }) => [...input, ...output],
    gradients: matMulGradients,
  },
  {
    operator: 'Gemm',
    domain: '',
    opsets: opsetRange,
    shapes: ({ input }) => input.slice(2).filter((name) => name !== ''),
    gradients: gemmGradients,
  },
];

/** Y = alpha op(A) op(B) + beta C, where op transposes or does not. */
function gemmGradients(context: RuleContext, dY: string): (string | undefined)[] {
  const { graph, node, wants, shapeOf } = context;
  const [a, b, c] = node.input as [string, string, string | undefined];
  const transA = intAttribute(node, 'transA', 0);
  const transB = intAttribute(node, 'transB', 0);
  const alpha = floatAttribute(node, 'alpha', 1);
  const beta = floatAttribute(node, 'beta', 1);
  const gemm = (left: string, right: string, trans: readonly [number, number]): string =>
    graph.node('Gemm', [left, right], {
      alpha: { float: alpha },
      transA: { int: trans[0] },
      transB: { int: trans[1] },
    });

  const dA = () => (transA ? gemm(b, dY, [transB, 1]) : gemm(dY, b, [0, 1 - transB]));
  const dB = () => (transB ? gemm(dY, a, [1, transA]) : gemm(a, dY, [1 - transA, 0]));
  const dC = (bias: string) => {
    const scaled = beta === 1 ? dY : graph.node('Mul', [dY, graph.float(beta)]);
    return unbroadcast(graph, scaled, { from: [null, null], to: shapeOf(bias) });
  };
  return [
    wants(0) ? dA() : undefined,
    wants(1) ? dB() : undefined,
    c && wants(2) ? dC(c) : undefined,
  ];
}

/** Y = A B on the last two axes; the axes before them broadcast; a vector is a row or a column. */
function matMulGradients(context: RuleContext, dY: string): (string | undefined)[] {
  const { graph, node, wants, shapeOf } = context;
  const [a, b] = node.input as [string, string];
  const shapes = [shapeOf(a), shapeOf(b)] as const;
  if (shapes[0].length === 2 && shapes[1].length === 2) {
    return [
      wants(0) ? graph.node('Gemm', [dY, b], { transB: { int: 1 } }) : undefined,
      wants(1) ? graph.node('Gemm', [a, dY], { transA: { int: 1 } }) : undefined,
    ];
  }
  const left = asMatrices(graph, a, { shape: shapes[0], vectorAxis: 0 });
  const right = asMatrices(graph, b, { shape: shapes[1], vectorAxis: 1 });
  const rank = Math.max(left.shape.length, right.shape.length);
  const restored = [
    ...(shapes[0].length === 1 ? [rank - 2] : []),
    ...(shapes[1].length === 1 ? [rank - 1] : []),
  ];
  const dProduct = restored.length === 0 ? dY : graph.node('Unsqueeze', [dY, graph.ints(restored)]);
  const batch = shapeOf(node.output[0]!).slice(0, rank - 2);

  const restore = (gradient: string, of: Matrices): string => {
    const from = [...batch, ...of.shape.slice(-2)];
    const sum = unbroadcast(graph, gradient, { from, to: of.shape });
    return of.vectorAxis === undefined
      ? sum
      : graph.node('Squeeze', [sum, graph.ints([of.vectorAxis])]);
  };
  const dA = () => graph.node('MatMul', [dProduct, transposed(graph, right)]);
  const dB = () => graph.node('MatMul', [transposed(graph, left), dProduct]);
  return [wants(0) ? restore(dA(), left) : undefined, wants(1) ? restore(dB(), right) : undefined];
}

/** A value of two axes or more; `vectorAxis` is the one added to a vector. */
interface Matrices {
  readonly value: string;
  readonly shape: Shape;
  readonly vectorAxis?: number;
}

function asMatrices(
  graph: GraphBuilder,
  value: string,
  { shape, vectorAxis }: { shape: Shape; vectorAxis: 0 | 1 },
): Matrices {
  if (shape.length > 1) return { value, shape };
  return {
    value: graph.node('Unsqueeze', [value, graph.ints([vectorAxis])]),
    shape: vectorAxis === 0 ? [1, shape[0]!] : [shape[0]!, 1],
    vectorAxis,
  };
}

function transposed(graph: GraphBuilder, { value, shape }: Matrices): string {
  const axes = shape.map((_, axis) => axis);
  const perm = [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!];
  return graph.node('Transpose', [value], { perm: { ints: perm } });
}
