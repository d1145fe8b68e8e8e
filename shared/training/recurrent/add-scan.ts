import { planToGraph } from '../emit-graph.ts';
import { createGraphBuilder, type GraphBuilder } from '../graph-builder.ts';
import type { Shape } from '../model/shape.ts';

/** A value of the graph around a loop, and what the loop's body sees of it. */
export interface Carried {
  readonly value: string;
  /** In the body: for a sequence without the axis of time. */
  readonly shape: Shape;
}

interface Values {
  readonly states: readonly string[];
  readonly items: readonly string[];
}

export interface ScanSpec {
  /** Not that of anything else; names inside begin with it. */
  readonly name: string;
  /** Whether time runs from last to first, in what goes in and in what comes out. */
  readonly isReversed: boolean;
  /** What is handed from step to step, at its start. */
  readonly states: readonly Carried[];
  /** What each step gets an item of, by the first axis. */
  readonly sequences: readonly Carried[];
  /** The shapes of the items that each step makes. */
  readonly made: readonly Shape[];
  /** Adds the nodes of a step to `graph` and returns the next states and the items it makes. */
  body(graph: GraphBuilder, given: Values): Values;
}

/**
 * Adds a loop over time (ONNX Scan) and returns the last states and the sequences made. The body
 * sees the values of the graph around it; there must be one step or more.
 */
export function addScan(graph: GraphBuilder, spec: ScanSpec): Values {
  const { name, isReversed, states, sequences, made } = spec;
  const ports = (role: string, shapes: readonly Shape[]) =>
    shapes.map((shape, index) => ({
      name: `${name}/${role}${index}`,
      type: graph.floatType,
      shape,
    }));
  const shapesOf = (values: readonly Carried[]) => values.map(({ shape }) => shape);
  const inputs = {
    states: ports('state', shapesOf(states)),
    items: ports('item', shapesOf(sequences)),
  };
  const outputs = { states: ports('next', shapesOf(states)), items: ports('made', made) };
  const names = (of: readonly { readonly name: string }[]) => of.map((port) => port.name);

  const body = createGraphBuilder(graph.floatType, `${name}/`);
  const ends = spec.body(body, { states: names(inputs.states), items: names(inputs.items) });
  ends.states.forEach((value, index) => {
    body.publish(value, outputs.states[index]!.name);
  });
  ends.items.forEach((value, index) => {
    body.publish(value, outputs.items[index]!.name);
  });
  const results = {
    states: states.map((_, index) => `${name}/last${index}`),
    items: made.map((_, index) => `${name}/all${index}`),
  };
  const direction = Number(isReversed);
  graph.nodeWithOutputs({
    operator: 'Scan',
    inputs: [...states, ...sequences].map(({ value }) => value),
    outputs: [...results.states, ...results.items],
    attributes: {
      num_scan_inputs: { int: sequences.length },
      scan_input_directions: { ints: sequences.map(() => direction) },
      scan_output_directions: { ints: made.map(() => direction) },
      body: {
        graph: planToGraph({
          name,
          ...body.finish(),
          inputs: [...inputs.states, ...inputs.items],
          outputs: [...outputs.states, ...outputs.items],
        }),
      },
    },
  });
  return results;
}
