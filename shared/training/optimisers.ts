import { slotName } from './artefact-names.ts';
import { splitBack, stackSmall } from './flat-tensors.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { dataType } from './model/onnx-proto.ts';

/** `weightDecay` is added to the gradient (L2 regularisation) but for `adamw`; 0 unless given. */
export type OptimiserOptions =
  | { readonly kind: 'sgd'; readonly weightDecay?: number }
  | MomentumOptions
  | AdamOptions;

interface MomentumOptions {
  readonly kind: 'momentum' | 'nesterov';
  /** Share of the last move that goes on; 0.9 unless given. */
  readonly momentum?: number;
  readonly weightDecay?: number;
}

interface AdamOptions {
  readonly kind: 'adam' | 'adamw';
  /** Decay of the first moment, 0.9 unless given. */
  readonly beta1?: number;
  /** Decay of the second moment, 0.999 unless given. */
  readonly beta2?: number;
  /** Keeps the denominator from 0; 1e-8 unless given. */
  readonly epsilon?: number;
  /** Of `adamw`, where it does not pass through the moments: 0.01 unless given. */
  readonly weightDecay?: number;
}

export type OptimiserName = OptimiserOptions['kind'];

export const optimiserNames = ['sgd', 'momentum', 'nesterov', 'adam', 'adamw'] as const;

export interface OptimisedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly gradient: string;
}

/** A value an optimiser carries from step to step; it starts as zeros. */
interface Slot {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface OptimiserStep {
  readonly slots: readonly Slot[];
  /** The value after the step, by the name of the parameter or slot. */
  readonly next: ReadonlyMap<string, string>;
}

interface Update {
  readonly parameters: readonly OptimisedParameter[];
  /** The learning rate, a scalar. */
  readonly rate: string;
}

/** Adds one step of the optimiser to the graph, as PyTorch's optimiser of that name takes it. */
export function addOptimiserStep(
  graph: GraphBuilder,
  options: OptimiserOptions,
  update: Update,
): OptimiserStep {
  switch (options.kind) {
    case 'sgd':
      return sgd(graph, options, update);
    case 'momentum':
    case 'nesterov':
      return momentum(graph, options, update);
    case 'adam':
    case 'adamw':
      return adam(graph, options, update);
  }
}

function sgd(
  graph: GraphBuilder,
  options: { readonly weightDecay?: number },
  { parameters, rate }: Update,
): OptimiserStep {
  const next = decayed(graph, options, parameters).map(
    ({ name, gradient }) => [name, descend(graph, name, { direction: gradient, rate })] as const,
  );
  return { slots: [], next: new Map(next) };
}

/**
 * Sutskever et al. (ICML 2013) as PyTorch has it: b' = momentum b + g, and the direction is b', or
 * for Nesterov's variant momentum b' + g.
 */
function momentum(
  graph: GraphBuilder,
  options: MomentumOptions,
  { parameters, rate }: Update,
): OptimiserStep {
  const factor = graph.float(options.momentum ?? 0.9);
  const slots: Slot[] = [];
  const next = new Map<string, string>();
  for (const { name, shape, gradient } of decayed(graph, options, parameters)) {
    const onward = (value: string): string =>
      graph.node('Add', [graph.node('Mul', [value, factor]), gradient]);
    const slot: Slot = { name: slotName('momentum', name), shape };
    const buffer = onward(slot.name);
    const direction = options.kind === 'nesterov' ? onward(buffer) : buffer;
    slots.push(slot);
    next.set(slot.name, buffer).set(name, descend(graph, name, { direction, rate }));
  }
  return { slots, next };
}

/**
 * Kingma & Ba, Adam (arXiv 1412.6980), algorithm 1, and Loshchilov & Hutter, AdamW (arXiv
 * 1711.05101), algorithm 2; the step number t is a slot. Small tensors share their moments.
 */
function adam(graph: GraphBuilder, options: AdamOptions, update: Update): OptimiserStep {
  const { kind, weightDecay = 0.01 } = options;
  const { parameters, rate } = update;
  const isDecoupled = kind === 'adamw' && weightDecay !== 0;
  const gradients = kind === 'adamw' ? parameters : decayed(graph, options, parameters);
  const slots: Slot[] = [{ name: slotName('adam.t'), shape: [] }];
  const t = graph.node('Add', [slots[0]!.name, graph.float(1)]);
  const next = new Map([[slots[0]!.name, t]]);
  const shrink = isDecoupled
    ? graph.node('Sub', [graph.float(1), graph.node('Mul', [rate, graph.float(weightDecay)])])
    : undefined;
  const moveOf = adamMove(graph, options, { t, rate });

  for (const stack of stackSmall(graph, gradients)) {
    const m: Slot = { name: slotName('adam.m', stack.name), shape: stack.shape };
    const v: Slot = { name: slotName('adam.v', stack.name), shape: stack.shape };
    const { move, mNext, vNext } = moveOf(stack.gradient, { m: m.name, v: v.name });
    slots.push(m, v);
    next.set(m.name, mNext).set(v.name, vNext);
    for (const [name, ownMove] of splitBack(graph, stack, move)) {
      const start = shrink === undefined ? name : graph.node('Mul', [name, shrink]);
      next.set(name, graph.node('Sub', [start, ownMove]));
    }
  }
  return { slots, next };
}

/** rate / (1 - beta1^t) m' / (sqrt(v') / sqrt(1 - beta2^t) + epsilon), and the next moments. */
function adamMove(
  graph: GraphBuilder,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamOptions,
  { t, rate }: { t: string; rate: string },
) {
  const stepSize = graph.node('Div', [rate, biasCorrection(graph, beta1, t)]);
  const rootCorrection = graph.node('Sqrt', [biasCorrection(graph, beta2, t)]);
  const mix = (old: string, value: string, beta: number): string =>
    graph.node('Add', [
      graph.node('Mul', [old, graph.float(beta)]),
      graph.node('Mul', [value, graph.float(1 - beta)]),
    ]);
  return (gradient: string, { m, v }: { m: string; v: string }) => {
    const mNext = mix(m, gradient, beta1);
    const vNext = mix(v, graph.node('Mul', [gradient, gradient]), beta2);
    const root = graph.node('Div', [graph.node('Sqrt', [vNext]), rootCorrection]);
    const denominator = graph.node('Add', [root, graph.float(epsilon)]);
    const move = graph.node('Div', [graph.node('Mul', [mNext, stepSize]), denominator]);
    return { move, mNext, vNext };
  };
}

function descend(
  graph: GraphBuilder,
  parameter: string,
  { direction, rate }: { direction: string; rate: string },
): string {
  return graph.node('Sub', [parameter, graph.node('Mul', [direction, rate])]);
}

/** The gradients of the loss with weightDecay / 2 |parameter|^2 added to it. */
function decayed(
  graph: GraphBuilder,
  { weightDecay = 0 }: { readonly weightDecay?: number },
  parameters: readonly OptimisedParameter[],
): readonly OptimisedParameter[] {
  if (weightDecay === 0) return parameters;
  return parameters.map((parameter) => {
    const pull = graph.node('Mul', [parameter.name, graph.float(weightDecay)]);
    return { ...parameter, gradient: graph.node('Add', [parameter.gradient, pull]) };
  });
}

/** 1 - beta^t in double precision: for beta near 1 and small t float32 would lose most digits. */
function biasCorrection(graph: GraphBuilder, beta: number, t: string): string {
  const double = dataType.float64;
  const exact = graph.node('Cast', [t], { to: { int: double } });
  const power = graph.node('Pow', [graph.float(beta, double), exact]);
  const correction = graph.node('Sub', [graph.float(1, double), power]);
  return graph.node('Cast', [correction], { to: { int: graph.floatType } });
}
