import { intAttribute } from '../model/attributes.ts';
import { opsetRange } from '../model/source-graph.ts';
import {
  biasesOf,
  type Direction,
  directionsOf,
  recurrentInput as input,
  partOf,
  unitsOf,
  zeroState,
} from '../recurrent/directions.ts';
import { gruGradients } from '../recurrent/gru.ts';
import { lstmGradients } from '../recurrent/lstm.ts';
import { lstmTape } from '../recurrent/lstm-loop.ts';
import {
  concat,
  delayed,
  flattened,
  type Recurrence,
  type RecurrenceGradients,
} from '../recurrent/recurrence.ts';
import { activationsOf, refusedVariant } from '../recurrent/refused-variant.ts';
import { rnnGradients } from '../recurrent/rnn.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';
import { shapedLike } from './shaped-like.ts';

const gateCounts: Readonly<Record<string, number>> = { LSTM: 4, GRU: 3, RNN: 1 };

interface DirectionGradients extends RecurrenceGradients {
  readonly dInitialCell?: string | undefined;
}

type Layer = (context: RuleContext, layer: Recurrence, terms: DirectionTerms) => DirectionGradients;

interface DirectionTerms {
  /** Of the direction. */
  readonly index: number;
  /** [B, H], of the loss by an LSTM's cell after the last time. */
  readonly dLastCell: string;
}

/** Layers that run over time: X [T, B, I] -> Y [T, D, B, H], Y_h [D, B, H], and Y_c for an LSTM. */
export const recurrentRules: readonly Rule[] = [
  recurrentRule('LSTM', ({ node }, layer, { index, dLastCell }) =>
    lstmGradients(layer, { dLastCell, tape: lstmTape(node, index) }),
  ),
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
        const dLastCell = (dYs[2] && direction.part(dYs[2], 0)) ?? zeros;
        const gradients = gradientsOf(context, layer, { index: direction.index, dLastCell });
        return { layer, gradients };
      });
      return inputGradients(context, found);
    },
  };
}

function layerOf(
  { graph, node }: RuleContext,
  direction: Direction,
  { dYs, zeros }: { dYs: readonly (string | undefined)[]; zeros: string },
): Recurrence {
  const states = direction.part(node.output[0]!, 1);
  const initial = partOf(direction, node.input[input.initial]);
  const { isReversed } = direction;
  return {
    graph,
    name: `${states}/layer`,
    isReversed,
    units: unitsOf(node),
    x: flattened(graph, node.input[input.x]!),
    inputWeight: direction.part(node.input[input.w]!, 0),
    stateWeight: direction.part(node.input[input.r]!, 0),
    biases: biasesOf({ graph, node }, { direction, gates: gateCounts[node.opType]! }),
    states,
    before: delayed(graph, states, { initial, isReversed }),
    dStates: dYs[0] && direction.part(dYs[0], 1),
    dLast: (dYs[1] && direction.part(dYs[1], 0)) ?? zeros,
  };
}

interface Found {
  readonly layer: Recurrence;
  readonly gradients: DirectionGradients;
}

/** Joins the directions' gradients as the inputs join theirs. */
function inputGradients(context: RuleContext, found: readonly Found[]): InputGradients {
  const { graph, node, wants } = context;
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
    return shapedLike(context, sum, node.input[input.x]!);
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
