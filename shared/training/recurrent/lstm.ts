import { addScan } from './add-scan.ts';
import { goBack } from './go-back.ts';
import {
  affine,
  byTime,
  concat,
  gateParts,
  gradientsOfSums,
  inputsAndStates,
  type Recurrence,
  type RecurrenceGradients,
} from './recurrence.ts';

export interface LstmCell {
  /** [B, H], before the first time. */
  readonly initial: string;
  /** [B, H], of the loss by the cell after the last time. */
  readonly dLast: string;
}

/**
 * Back through an LSTM (ONNX, LSTM-22; Hochreiter & Schmidhuber 1997): c = f c' + i g and
 * h = o tanh(c), where the gates, in the order i o f g, are functions of x W' + h' R' + b, and c'
 * and h' are those of the time before.
 *
 * The gates are worked out again for all times at once, from the states that the forward pass
 * gave; only the cells need a loop. So do the slopes, which leaves few products for the loop back.
 */
export function lstmGradients(
  layer: Recurrence,
  cell: LstmCell,
): RecurrenceGradients & { readonly dInitialCell: string | undefined } {
  const { units } = layer;
  const operands = inputsAndStates(layer);
  const { made, dInitial, dInitialCell } = goBack(layer, {
    factors: lstmFactors(layer, { operands, initialCell: cell.initial }),
    dLastCell: cell.dLast,
    widths: [4 * units],
    body(step, { dState, dCell }, factors) {
      const mul = (...values: [string, string]) => step.node('Mul', values);
      const dC = step.node('Add', [dCell!, mul(dState, factors.cellByState)]);
      const dSums = concat(
        step,
        [
          mul(dC, factors.iByCell),
          mul(dState, factors.oByState),
          mul(dC, factors.fByCell),
          mul(dC, factors.gByCell),
        ],
        1,
      );
      const dCellBefore = mul(dC, factors.f);
      return { dSums, weight: layer.stateWeight, dCellBefore, made: [dSums] };
    },
  });
  return { ...gradientsOfSums(layer, { dSums: made[0]!, dInitial, operands }), dInitialCell };
}

/** The slopes at all times, [T, B, H] each: by the state, and by the cell. */
function lstmFactors(
  layer: Recurrence,
  { operands, initialCell }: { operands: string; initialCell: string },
) {
  const { graph, states } = layer;
  const mul = (...values: [string, string]) => graph.node('Mul', values);
  const sub = (...values: [string, string]) => graph.node('Sub', values);
  const restOf = (gate: string) => sub(graph.float(1), gate);
  const { i, o, f, g } = lstmGates(layer, operands);
  const entering = mul(i, g);
  const { cells, kept } = lstmCells(layer, { f, entering, initialCell });
  return {
    // Each is its textbook form, such as o (1 - tanh(c)^2), with what is at hand put in.
    cellByState: sub(o, mul(states, graph.node('Tanh', [cells]))),
    oByState: mul(states, restOf(o)),
    iByCell: mul(entering, restOf(i)),
    fByCell: mul(kept, restOf(f)),
    gByCell: sub(i, mul(entering, g)),
    f,
  };
}

/** The gates at all times, [T, B, H] each; a product for each saves taking one product apart. */
function lstmGates(layer: Recurrence, operands: string) {
  const { graph, inputWeight, stateWeight, biases } = layer;
  const weights = gateParts(layer, concat(graph, [inputWeight, stateWeight], 1), 4);
  const bias = biases && gateParts(layer, graph.node('Add', [biases.input, biases.state]), 4);
  const [i, o, f, g] = weights.map((weight, gate) =>
    graph.node(gate === 3 ? 'Tanh' : 'Sigmoid', [
      byTime(layer, affine(graph, operands, weight, bias?.[gate])),
    ]),
  ) as [string, string, string, string];
  return { i, o, f, g };
}

/** The cells at all times, [T, B, H]: c = f c' + entering; and f c', which is kept of the last. */
function lstmCells(
  { graph, units, isReversed, name }: Recurrence,
  { f, entering, initialCell }: { f: string; entering: string; initialCell: string },
): { readonly cells: string; readonly kept: string } {
  const shape = [null, units];
  const { items } = addScan(graph, {
    name: `${name}/cells`,
    isReversed,
    states: [{ value: initialCell, shape }],
    sequences: [
      { value: f, shape },
      { value: entering, shape },
    ],
    made: [shape],
    body(step, { states: [cell], items: [share, added] }) {
      const kept = step.node('Mul', [cell!, share!]);
      return { states: [step.node('Add', [kept, added!])], items: [kept] };
    },
  });
  // The sum once more, for all times at once: the loop would copy each to hand it out.
  const kept = items[0]!;
  return { cells: graph.node('Add', [kept, entering]), kept };
}
