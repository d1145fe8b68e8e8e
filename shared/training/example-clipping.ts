import { portNames } from './artefact-names.ts';
import { jointNorm } from './clipping.ts';
import { type GraphPlan, planToGraph } from './emit-graph.ts';
import { createGraphBuilder, type GraphBuilder } from './graph-builder.ts';
import { renameValues } from './model/rename-values.ts';
import type { Port } from './model/shape.ts';
import { RESERVED_PREFIX, type SourceGraph } from './model/source-graph.ts';
import type { OptimisedParameter } from './optimisers.ts';

export interface ExampleClipping {
  /** What the norm of one example's gradient is brought down to. */
  readonly normMax: number;
  /** Adds an input for noise of each parameter's shape, which goes onto its gradient. */
  readonly noise?: boolean;
}

export interface ExampleClippingTerms {
  readonly source: SourceGraph;
  readonly parameters: readonly OptimisedParameter[];
  /** Model inputs and target, a row per example. */
  readonly examples: readonly Port[];
  readonly normMax: number;
}

const PREFIX = `${RESERVED_PREFIX}example/`;

/**
 * The weighted sum over the batch of g / max(1, |g| / normMax), where g is the gradient of one
 * example and |g| its norm over all parameters: Abadi et al., Deep Learning with Differential
 * Privacy (arXiv 1607.00133), algorithm 1, without its noise. With weights of 1 / B no example
 * moves the result by more than normMax / B.
 *
 * A Scan runs forward and backward pass on one row after the other, so a step costs about what as
 * many steps of one example do.
 */
export function addExampleClipping(
  graph: GraphBuilder,
  terms: ExampleClippingTerms,
): OptimisedParameter[] {
  const { parameters, examples } = terms;
  const body = planToGraph(planExample(graph, terms));
  const zeros = parameters.map(({ name }) =>
    graph.node('Expand', [graph.float(0), graph.node('Shape', [name])]),
  );
  const sums = parameters.map(({ name }) => `${RESERVED_PREFIX}clipped/${name}`);
  graph.nodeWithOutputs({
    operator: 'Scan',
    inputs: [...zeros, ...examples.map(({ name }) => name), portNames.weights],
    outputs: sums,
    attributes: { body: { graph: body }, num_scan_inputs: { int: examples.length + 1 } },
  });
  return parameters.map((parameter, index) => ({ ...parameter, gradient: sums[index]! }));
}

/**
 * sums, one row of each port, its weight -> the next sums. The nodes are those of the whole batch
 * under other names; parameters and constants are those outside.
 */
function planExample(graph: GraphBuilder, terms: ExampleClippingTerms): GraphPlan {
  const { source, parameters, examples, normMax } = terms;
  const { floatType: type } = graph;
  const whole = graph.finish();
  const outside = new Set([
    ...source.initialisers.keys(),
    ...whole.constants.keys(),
    ...parameters.map(({ name }) => name),
  ]);
  const inside = (name: string): string => (outside.has(name) ? name : PREFIX + name);
  const rowName = (name: string): string => `${PREFIX}row/${name}`;
  const sumName = (name: string): string => `${PREFIX}sum/${name}`;
  const before = createGraphBuilder(type, `${PREFIX}before/`);
  const after = createGraphBuilder(type, `${PREFIX}after/`);
  const toBatch = (row: string, name: string): void =>
    before.publish(before.node('Unsqueeze', [row, before.ints([0])]), inside(name));
  for (const { name } of examples) toBatch(rowName(name), name);
  toBatch(before.float(1), portNames.weights);

  const gradients = parameters.map(({ gradient }) => inside(gradient));
  const excess = after.node('Div', [jointNorm(after, gradients), after.float(normMax)]);
  const divisor = after.node('Max', [excess, after.float(1)]);
  const share = after.node('Div', [rowName(portNames.weights), divisor]);
  const sums = parameters.map(({ name, shape }, index) => {
    const clipped = after.node('Mul', [gradients[index]!, share]);
    return { name: after.node('Add', [sumName(name), clipped]), type, shape };
  });
  const [first, last] = [before.finish(), after.finish()];
  return {
    name: 'example',
    nodes: [
      ...first.nodes,
      ...renameValues([...source.nodes, ...whole.nodes], inside),
      ...last.nodes,
    ],
    constants: new Map([...first.constants, ...last.constants]),
    inputs: [
      ...parameters.map(({ name, shape }) => ({ name: sumName(name), type, shape })),
      ...examples.map((port) => ({
        ...port,
        name: rowName(port.name),
        shape: port.shape.slice(1),
      })),
      { name: rowName(portNames.weights), type, shape: [] },
    ],
    outputs: sums,
  };
}
