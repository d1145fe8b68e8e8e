import { unreachable } from '../basics/assert.ts';
import { slotName } from './artefact-names.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { dataType } from './model/onnx-proto.ts';

export type OptimiserOptions =
  | { readonly kind: 'sgd' }
  | {
      readonly kind: 'adam';
      /** Decay of the first moment, 0.9 unless given. */
      readonly beta1?: number;
      /** Decay of the second moment, 0.999 unless given. */
      readonly beta2?: number;
      /** Keeps the denominator from 0; 1e-8 unless given. */
      readonly epsilon?: number;
    };

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

/** Adds one step of the optimiser to the graph; `rate` is the learning rate, a scalar. */
export function addOptimiserStep(
  graph: GraphBuilder,
  options: OptimiserOptions,
  { parameters, rate }: { parameters: readonly OptimisedParameter[]; rate: string },
): OptimiserStep {
  switch (options.kind) {
    case 'sgd':
      return { slots: [], next: new Map(parameters.map((p) => [p.name, descend(graph, p, rate)])) };
    case 'adam':
      return adam(
        graph,
        { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, ...options },
        { parameters, rate },
      );
    default:
      return unreachable(options);
  }
}

function descend(graph: GraphBuilder, parameter: OptimisedParameter, rate: string): string {
  return graph.node('Sub', [parameter.name, graph.node('Mul', [parameter.gradient, rate])]);
}

/** Kingma & Ba, Adam (arXiv 1412.6980), algorithm 1; the step number t is a slot. */
function adam(
  graph: GraphBuilder,
  { beta1, beta2, epsilon }: { beta1: number; beta2: number; epsilon: number },
  { parameters, rate }: { parameters: readonly OptimisedParameter[]; rate: string },
): OptimiserStep {
  const t: Slot = { name: slotName('adam.t'), shape: [] };
  const tNext = graph.node('Add', [t.name, graph.float(1)]);
  const stepSize = graph.node('Div', [rate, biasCorrection(graph, beta1, tNext)]);
  const rootCorrection = graph.node('Sqrt', [biasCorrection(graph, beta2, tNext)]);
  const slots = [t];
  const next = new Map([[t.name, tNext]]);
  const mix = (old: string, value: string, beta: number): string =>
    graph.node('Add', [
      graph.node('Mul', [old, graph.float(beta)]),
      graph.node('Mul', [value, graph.float(1 - beta)]),
    ]);

  for (const { name, shape, gradient } of parameters) {
    const m: Slot = { name: slotName('adam.m', name), shape };
    const v: Slot = { name: slotName('adam.v', name), shape };
    const mNext = mix(m.name, gradient, beta1);
    const vNext = mix(v.name, graph.node('Mul', [gradient, gradient]), beta2);
    const root = graph.node('Div', [graph.node('Sqrt', [vNext]), rootCorrection]);
    const denominator = graph.node('Add', [root, graph.float(epsilon)]);
    const move = graph.node('Div', [graph.node('Mul', [mNext, stepSize]), denominator]);
    slots.push(m, v);
    next
      .set(m.name, mNext)
      .set(v.name, vNext)
      .set(name, graph.node('Sub', [name, move]));
  }
  return { slots, next };
}

/** 1 - beta^t in double precision: for beta near 1 and small t float32 would lose most digits. */
function biasCorrection(graph: GraphBuilder, beta: number, t: string): string {
  const double = dataType.float64;
  const exact = graph.node('Cast', [t], { to: { int: double } });
  const power = graph.node('Pow', [graph.float(beta, double), exact]);
  const correction = graph.node('Sub', [graph.float(1, double), power]);
  return graph.node('Cast', [correction], { to: { int: graph.floatType } });
}
