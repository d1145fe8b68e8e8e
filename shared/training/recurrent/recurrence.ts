import type { GraphBuilder } from '../graph-builder.ts';

/**
 * One direction of a recurrent layer as its gradient sees it, without the axis of directions.
 * T is time, B the batch, I the features, H the units, n the number of gates.
 */
export interface Recurrence {
  readonly graph: GraphBuilder;
  /** Begins the names of its loops. */
  readonly name: string;
  /** Whether the layer runs from the last time to the first. */
  readonly isReversed: boolean;
  readonly units: number;
  /** [T B, I] */
  readonly x: string;
  /** [n H, I] */
  readonly inputWeight: string;
  /** [n H, H] */
  readonly stateWeight: string;
  /** [n H] each: added to the product with the input, and to the one with the state. */
  readonly biases: { readonly input: string; readonly state: string } | undefined;
  /** [T, B, H], the states after each time, and before it. */
  readonly states: string;
  readonly before: string;
  /** [T, B, H], of the loss by `states`; `undefined` where only the last one counts. */
  readonly dStates: string | undefined;
  /** [B, H], of the loss by the last state. */
  readonly dLast: string;
}

/** What the gradients of a layer's inputs are made from. */
export interface RecurrenceGradients {
  /** [T B, n H], of the loss by the products with the input, and so by their bias. */
  readonly dInputProducts: string;
  /** The same for the products with the state. */
  readonly dStateProducts: string;
  /** Adds the nodes of the gradient of the input's weights, [n H, I]. */
  dInputWeight(): string;
  /** Adds the nodes of the gradient of the state's weights, [n H, H]. */
  dStateWeight(): string;
  /** [B, H], of the loss by the state before the first time. */
  readonly dInitial: string;
}

/** Joins the axes of time and batch: [T, B, ...] -> [T B, ...]. */
export function flattened(graph: GraphBuilder, sequence: string): string {
  return graph.node('Flatten', [sequence], { axis: { int: 2 } });
}

/** Parts them again: [T B, n H] -> [T, B, n H]; `states` is another one of T and B. */
export function byTime(
  { graph, states }: Pick<Recurrence, 'graph' | 'states'>,
  value: string,
): string {
  const timeAndBatch = graph.node('Shape', [states], { end: { int: 2 } });
  const shape = concat(graph, [timeAndBatch, graph.ints([-1])], 0);
  return graph.node('Reshape', [value, shape]);
}

export function concat(graph: GraphBuilder, values: readonly string[], axis: number): string {
  return graph.node('Concat', values, { axis: { int: axis } });
}

/** Parts of `sizes` along `axis`; once for each value and axis. */
export function split(
  graph: GraphBuilder,
  value: string,
  { axis, sizes }: { readonly axis: number; readonly sizes: readonly number[] },
): string[] {
  const outputs = sizes.map((_, part) => `${value}/axis${axis}/${part}`);
  graph.nodeWithOutputs({
    operator: 'Split',
    inputs: [value, graph.ints(sizes)],
    outputs,
    attributes: { axis: { int: axis } },
  });
  return outputs;
}

/** What each of `count` gates has of a value [count H, ...]. */
export function gateParts(
  { graph, units }: Pick<Recurrence, 'graph' | 'units'>,
  value: string,
  count: number,
): string[] {
  return split(graph, value, { axis: 0, sizes: Array.from({ length: count }, () => units) });
}

/** `value` from place `from` to before `to` along `axis`; negative ones count from the end. */
export function slice(
  graph: GraphBuilder,
  value: string,
  { from, to = 2 ** 31 - 1, axis }: { from: number; to?: number; axis: number },
): string {
  return graph.node('Slice', [value, ...[from, to, axis].map((place) => graph.ints([place]))]);
}

/** a b' + c */
export function affine(
  graph: GraphBuilder,
  a: string,
  ...[b, c]: [b: string, c: string | undefined]
): string {
  return graph.node('Gemm', c === undefined ? [a, b] : [a, b, c], { transB: { int: 1 } });
}

/** a' b */
export function transposedProduct(graph: GraphBuilder, a: string, b: string): string {
  return graph.node('Gemm', [a, b], { transA: { int: 1 } });
}

/** y (1 - y), the slope of y = 1 / (1 + exp(-x)). */
export function sigmoidSlope(graph: GraphBuilder, y: string): string {
  return graph.node('Mul', [y, graph.node('Sub', [graph.float(1), y])]);
}

/** 1 - y^2, the slope of y = tanh(x). */
export function tanhSlope(graph: GraphBuilder, y: string): string {
  return graph.node('Sub', [graph.float(1), graph.node('Mul', [y, y])]);
}

/** [T, B, H] as it was one time before, beginning with `initial` [B, H] or with zeros. */
export function delayed(
  graph: GraphBuilder,
  sequence: string,
  { initial, isReversed }: { readonly initial?: string; readonly isReversed: boolean },
): string {
  if (initial === undefined) {
    const pads = isReversed ? [-1, 0, 0, 1, 0, 0] : [1, 0, 0, -1, 0, 0];
    return graph.node('Pad', [sequence, graph.ints(pads)]);
  }
  const first = graph.node('Unsqueeze', [initial, graph.ints([0])]);
  return isReversed
    ? concat(graph, [slice(graph, sequence, { from: 1, axis: 0 }), first], 0)
    : concat(graph, [first, slice(graph, sequence, { from: 0, to: -1, axis: 0 })], 0);
}

/**
 * The inputs and the states before each time side by side, [T B, I + H], so that one product does
 * for both.
 */
export function inputsAndStates({ graph, x, before }: Recurrence): string {
  return concat(graph, [x, flattened(graph, before)], 1);
}

/** The gradients of a layer where the two products only ever add up; `dSums` is [T B, n H]. */
export function gradientsOfSums(
  layer: Recurrence,
  { dSums, dInitial, operands }: { dSums: string; dInitial: string; operands: string },
): RecurrenceGradients {
  const { graph, units } = layer;
  const dWeights = transposedProduct(graph, dSums, operands);
  return {
    dInputProducts: dSums,
    dStateProducts: dSums,
    dInputWeight: () => slice(graph, dWeights, { from: 0, to: -units, axis: 1 }),
    dStateWeight: () => slice(graph, dWeights, { from: -units, axis: 1 }),
    dInitial,
  };
}
