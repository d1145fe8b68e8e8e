import { anchorName, correctionName, noiseName, portNames } from './artefact-names.ts';
import { addClipping, type GradientClipping } from './clipping.ts';
import { addExampleClipping, type ExampleClipping } from './example-clipping.ts';
import type { GraphBuilder } from './graph-builder.ts';
import type { Port } from './model/shape.ts';
import type { SourceGraph } from './model/source-graph.ts';
import {
  addOptimiserStep,
  type OptimisedParameter,
  type OptimiserOptions,
  type OptimiserStep,
} from './optimisers.ts';

/** How gradients become the next parameters. What is not given is not in the graphs. */
export interface UpdateOptions {
  readonly optimiser: OptimiserOptions;
  /** Of the gradient with all terms below in it; weight decay comes after. */
  readonly clipping?: GradientClipping;
  /**
   * Adds mu / 2 |parameters - anchor|^2 to what is minimised, not to the loss that is reported,
   * with `anchor` and mu as inputs: FedProx, Li et al. (arXiv 1812.06127), equation 2.
   */
  readonly proximal?: boolean;
  /**
   * Adds an input to each parameter's gradient: the control variates c - c_i of SCAFFOLD,
   * Karimireddy et al. (arXiv 1910.06378), equation 3, whose derivation takes the optimiser `sgd`.
   */
  readonly correction?: boolean;
  readonly exampleClipping?: ExampleClipping;
}

export interface UpdateTerms {
  readonly source: SourceGraph;
  readonly parameters: readonly OptimisedParameter[];
  readonly target: Port;
}

export interface UpdateStep extends OptimiserStep {
  /** Further inputs, the same in every step. */
  readonly terms: readonly Port[];
  /** The parameters that take noise in every step. */
  readonly noisy: readonly string[];
}

/**
 * What the backward pass starts from, given the gradient of the loss by the output. Plain gradient
 * descent has it times -rate: every gradient is linear in it, so each comes out as its parameter's
 * whole move, and one small tensor is scaled in place of all large ones.
 */
export function backwardSeed(
  graph: GraphBuilder,
  options: UpdateOptions,
  gradient: string,
): string {
  if (!isPlainDescent(options)) return gradient;
  return graph.node('Mul', [gradient, graph.node('Neg', [portNames.rate])]);
}

/**
 * Adds all that lies between the gradients of a batch, from a pass begun with {@link backwardSeed},
 * and the next parameters and slots.
 */
export function addUpdateStep(
  graph: GraphBuilder,
  options: UpdateOptions,
  { source, parameters, target }: UpdateTerms,
): UpdateStep {
  if (isPlainDescent(options)) return addMoves(graph, parameters);
  const { optimiser, clipping, proximal = false, correction = false, exampleClipping } = options;
  const noise = exampleClipping?.noise ?? false;
  const examples = [...source.inputs, target];
  const ofExamples =
    exampleClipping === undefined
      ? parameters
      : addExampleClipping(graph, { source, parameters, examples, ...exampleClipping });
  const whole = ofExamples.map(({ name, shape, gradient }) => {
    const summands = [
      gradient,
      ...(noise ? [noiseName(name)] : []),
      ...(proximal ? [pullToAnchor(graph, name)] : []),
      ...(correction ? [correctionName(name)] : []),
    ];
    return {
      name,
      shape,
      gradient: summands.reduce((sum, term) => graph.node('Add', [sum, term])),
    };
  });
  const clipped = clipping === undefined ? whole : addClipping(graph, clipping, whole);
  const step = addOptimiserStep(graph, optimiser, { parameters: clipped, rate: portNames.rate });

  const type = graph.floatType;
  const ports = (rename: (name: string) => string): Port[] =>
    parameters.map(({ name, shape }) => ({ name: rename(name), type, shape }));
  return {
    ...step,
    terms: [
      ...(proximal ? [...ports(anchorName), { name: portNames.proximal, type, shape: [] }] : []),
      ...(correction ? ports(correctionName) : []),
    ],
    noisy: noise ? parameters.map(({ name }) => name) : [],
  };
}

/** Whether a step is no more than the gradient times -rate. */
function isPlainDescent(options: UpdateOptions): boolean {
  const { optimiser, clipping, proximal = false, correction = false, exampleClipping } = options;
  if (optimiser.kind !== 'sgd' || (optimiser.weightDecay ?? 0) !== 0) return false;
  return clipping === undefined && exampleClipping === undefined && !proximal && !correction;
}

function addMoves(graph: GraphBuilder, parameters: readonly OptimisedParameter[]): UpdateStep {
  // ONNX Runtime joins a Gemm and the Sum it goes into, not the Add.
  const next = parameters.map(
    ({ name, gradient }) => [name, graph.node('Sum', [gradient, name])] as const,
  );
  return { slots: [], next: new Map(next), terms: [], noisy: [] };
}

/** The gradient of mu / 2 |parameter - anchor|^2. */
function pullToAnchor(graph: GraphBuilder, parameter: string): string {
  const distance = graph.node('Sub', [parameter, anchorName(parameter)]);
  return graph.node('Mul', [distance, portNames.proximal]);
}
