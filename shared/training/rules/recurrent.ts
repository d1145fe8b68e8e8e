import { intAttribute, stringAttribute } from '../model/attributes.ts';
import type { NodeProto } from '../model/onnx-proto.ts';
import { opsetRange } from '../model/source-graph.ts';
import { gruGradients } from '../recurrent/gru.ts';
import { lstmGradients } from '../recurrent/lstm.ts';
import {
  concat,
  delayed,
  flattened,
  type Recurrence,
  type RecurrenceGradients,
  split,
} from '../recurrent/recurrence.ts';
import { activationsOf, refusedVariant } from '../recurrent/refused-variant.ts';
import { rnnGradients } from '../recurrent/rnn.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';

/** The inputs in ONNX's order. */
const input = { x: 0, w: 1, r: 2, b: 3, initial: 5, initialCell: 6 } as const;

const gateCounts: Readonly<Record<string, number>> = { LSTM: 4, GRU: 3, RNN: 1 };

interface DirectionGradients extends RecurrenceGradients {
  readonly dInitialCell?: string | undefined;
}

/** What one direction has of its own. */
interface Direction {
  readonly index: number;
  /** Its part of a value, without the axis of directions. */
  part(value: string, axis: number): string;
}

type Layer = (context: RuleContext, layer: Recurrence, cell: Cell) => DirectionGradients;

interface Cell {
  readonly index: number;
  readonly initial: string;
  readonly dLast: string;
}

/** Layers that run over time: X [T, B, I] -> Y [T, D, B, H], Y_h [D, B, H], and Y_c for an LSTM. */
export const recurrentRules: readonly Rule[] = [
  recurrentRule('LSTM', (_, layer, cell) => lstmGradients(layer, cell)),
  recurrentRule('GRU', ({ node }, layer) =>
    gruGradients(layer, intAttribute(node, 'linear_before_reset', 0) !== 0),
  ),
  recurrentRule('RNN', ({ node }, layer, { index }) =>
    rnnGradients(layer, activationsOf(node)[index]!),
  ),
];

function recurrentRule(operator: string, gradientsOf: Layer): Rule {
  return {
    operator,
    domain: '',
    opsets: opsetRange,
    outputs: 1,
    shapes: (node) => (node.input[4] ? [node.input[input.x]!] : []),
    refuses: refusedVariant,
    gradientsOfMany(context, dYs) {
      const directions = directionsOf(context);
      const zeros = zeroState(context);
      const found = directions.map((direction) => {
        const layer = layerOf(context, direction, { dYs, zeros });
        const cell = {
          index: direction.index,
          initial: part(direction, context.node.input[input.initialCell], 0) ?? zeros,
          dLast: part(direction, dYs[2], 0) ?? zeros,
        };
        return { layer, gradients: gradientsOf(context, layer, cell) };
      });
      return inputGradients(context, found);
    },
  };
}

function unitsOf(node: NodeProto): number {
  return intAttribute(node, 'hidden_size', 0);
}

function directionsOf({ graph, node }: RuleContext): Direction[] {
  const count = stringAttribute(node, 'direction', 'forward') === 'bidirectional' ? 2 : 1;
  return Array.from({ length: count }, (_, index) => ({
    index,
    part(value, axis) {
      const own =
        count === 1
          ? value
          : graph.node('Gather', [value, graph.ints([index])], { axis: { int: axis } });
      return graph.node('Squeeze', [own, graph.ints([axis])]);
    },
  }));
}

function part(direction: Direction, value: string | undefined, axis: number): string | undefined {
  return value ? direction.part(value, axis) : undefined;
}

/** Zeros [B, H]. */
function zeroState({ graph, node }: RuleContext): string {
  const batch = graph.node('Shape', [node.input[input.x]!], { start: { int: 1 }, end: { int: 2 } });
  const shape = concat(graph, [batch, graph.ints([unitsOf(node)])], 0);
  return graph.node('Expand', [graph.float(0), shape]);
}

function layerOf(
  { graph, node }: RuleContext,
  direction: Direction,
  { dYs, zeros }: { dYs: readonly (string | undefined)[]; zeros: string },
): Recurrence {
  const isReversed =
    direction.index === 1 || stringAttribute(node, 'direction', 'forward') === 'reverse';
  const states = direction.part(node.output[0]!, 1);
  const initial = part(direction, node.input[input.initial], 0);
  const bias = part(direction, node.input[input.b], 0);
  const length = gateCounts[node.opType]! * unitsOf(node);
  const biases = bias === undefined ? [] : split(graph, bias, { axis: 0, sizes: [length, length] });
  return {
    graph,
    name: `${states}/layer`,
    isReversed,
    units: unitsOf(node),
    x: flattened(graph, node.input[input.x]!),
    inputWeight: direction.part(node.input[input.w]!, 0),
    stateWeight: direction.part(node.input[input.r]!, 0),
    biases: bias === undefined ? undefined : { input: biases[0]!, state: biases[1]! },
    states,
    before: delayed(graph, states, { initial, isReversed }),
    dStates: part(direction, dYs[0], 1),
    dLast: part(direction, dYs[1], 0) ?? zeros,
  };
}

interface Found {
  readonly layer: Recurrence;
  readonly gradients: DirectionGradients;
}

/** Joins the directions' gradients as the inputs join theirs. */
function inputGradients(
  { graph, node, wants }: RuleContext,
  found: readonly Found[],
): InputGradients {
  const joined = (index: number, gradientOf: (one: Found) => string | undefined) => {
    if (!wants(index)) return undefined;
    const parts = found.map((one) => graph.node('Unsqueeze', [gradientOf(one)!, graph.ints([0])]));
    return parts.length === 1 ? parts[0] : concat(graph, parts, 0);
  };
  const dX = () => {
    const ways = found.map(({ layer, gradients }) =>
      graph.node('MatMul', [gradients.dInputProducts, layer.inputWeight]),
    );
    const sum = ways.reduce((a, b) => graph.node('Add', [a, b]));
    return graph.node('Reshape', [sum, graph.node('Shape', [node.input[input.x]!])]);
  };
  const dBias = ({ dInputProducts, dStateProducts }: RecurrenceGradients) => {
    const sum = (of: string) =>
      graph.node('ReduceSum', [of, graph.ints([0])], { keepdims: { int: 0 } });
    const ofInput = sum(dInputProducts);
    const isShared = dStateProducts === dInputProducts;
    return concat(graph, [ofInput, isShared ? ofInput : sum(dStateProducts)], 0);
  };
  return [
    wants(input.x) ? dX() : undefined,
    joined(input.w, ({ gradients }) => gradients.dInputWeight()),
    joined(input.r, ({ gradients }) => gradients.dStateWeight()),
    joined(input.b, ({ gradients }) => dBias(gradients)),
    undefined,
    joined(input.initial, ({ gradients }) => gradients.dInitial),
    joined(input.initialCell, ({ gradients }) => gradients.dInitialCell),
  ];
}
