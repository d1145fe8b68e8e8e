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

/** Adds all that lies between the gradients of a batch and the next parameters and slots. */
export function addUpdateStep(
  graph: GraphBuilder,
  options: UpdateOptions,
  { source, parameters, target }: UpdateTerms,
): UpdateStep {
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

/** The gradient of mu / 2 |parameter - anchor|^2. */
function pullToAnchor(graph: GraphBuilder, parameter: string): string {
  const distance = graph.node('Sub', [parameter, anchorName(parameter)]);
  return graph.node('Mul', [distance, portNames.proximal]);
}
