import type { GraphBuilder } from './graph-builder.ts';
import type { OptimisedParameter } from './optimisers.ts';

export type GradientClipping =
  /** Scales all gradients together so that their norm is at most `max`. */
  | { readonly kind: 'norm'; readonly max: number }
  /** Brings each value between -`max` and `max`. */
  | { readonly kind: 'value'; readonly max: number };

/** Clips the gradients as PyTorch's clip_grad_norm_ and clip_grad_value_ do. */
export function addClipping(
  graph: GraphBuilder,
  { kind, max }: GradientClipping,
  parameters: readonly OptimisedParameter[],
): OptimisedParameter[] {
  const gradients = parameters.map(({ gradient }) => gradient);
  const clip = kind === 'value' ? clipValues(graph, max) : clipNorm(graph, max, gradients);
  return parameters.map((parameter) => ({ ...parameter, gradient: clip(parameter.gradient) }));
}

function clipValues(graph: GraphBuilder, max: number) {
  const limits = [graph.float(-max), graph.float(max)];
  return (gradient: string) => graph.node('Clip', [gradient, ...limits]);
}

/** g min(1, max / (norm + 1e-6)): Pascanu et al. (ICML 2013), algorithm 1. */
function clipNorm(graph: GraphBuilder, max: number, gradients: readonly string[]) {
  const safeNorm = graph.node('Add', [jointNorm(graph, gradients), graph.float(1e-6)]);
  const scale = graph.node('Div', [graph.float(max), safeNorm]);
  const factor = graph.node('Min', [scale, graph.float(1)]);
  return (gradient: string) => graph.node('Mul', [gradient, factor]);
}

/** The Euclidean norm of all values of all tensors, a scalar. */
export function jointNorm(graph: GraphBuilder, tensors: readonly string[]): string {
  const squares = tensors.map((tensor) =>
    graph.node('ReduceSumSquare', [tensor], { keepdims: { int: 0 } }),
  );
  const sum = squares.length === 1 ? squares[0]! : graph.node('Sum', squares);
  return graph.node('Sqrt', [sum]);
}
