import type { GraphBuilder } from '../graph-builder.ts';
import { intAttribute, stringAttribute } from '../model/attributes.ts';
import type { NodeProto } from '../model/onnx-proto.ts';
import { concat, split } from './recurrence.ts';

/** The inputs of LSTM, GRU and RNN in ONNX's order; of other ones nothing is trained. */
export const recurrentInput = { x: 0, w: 1, r: 2, b: 3, initial: 5, initialCell: 6 } as const;

/** What one direction of a recurrent node has of its own. */
export interface Direction {
  readonly index: number;
  /** Whether it runs from the last time to the first. */
  readonly isReversed: boolean;
  /** Its part of a value, without the axis of directions. */
  part(value: string, axis: number): string;
}

interface Place {
  readonly graph: GraphBuilder;
  readonly node: NodeProto;
}

export function directionsOf({ graph, node }: Place): Direction[] {
  const way = stringAttribute(node, 'direction', 'forward');
  const count = way === 'bidirectional' ? 2 : 1;
  return Array.from({ length: count }, (_, index) => ({
    index,
    isReversed: index === 1 || way === 'reverse',
    part(value, axis) {
      const own =
        count === 1
          ? value
          : graph.node('Gather', [value, graph.ints([index])], { axis: { int: axis } });
      return graph.node('Squeeze', [own, graph.ints([axis])]);
    },
  }));
}

/** The part of an input that may be left out. */
export function partOf(direction: Direction, value: string | undefined): string | undefined {
  return value ? direction.part(value, 0) : undefined;
}

export function unitsOf(node: NodeProto): number {
  return intAttribute(node, 'hidden_size', 0);
}

/** Zeros [B, H]. */
export function zeroState({ graph, node }: Place): string {
  const batch = graph.node('Shape', [node.input[recurrentInput.x]!], {
    start: { int: 1 },
    end: { int: 2 },
  });
  const shape = concat(graph, [batch, graph.ints([unitsOf(node)])], 0);
  return graph.node('Expand', [graph.float(0), shape]);
}

/** B of one direction as [n H] for the product with the input, and for the one with the state. */
export function biasesOf(
  { graph, node }: Place,
  { direction, gates }: { direction: Direction; gates: number },
): { readonly input: string; readonly state: string } | undefined {
  const bias = partOf(direction, node.input[recurrentInput.b]);
  if (bias === undefined) return undefined;
  const length = gates * unitsOf(node);
  const [input, state] = split(graph, bias, { axis: 0, sizes: [length, length] });
  return { input: input!, state: state! };
}
