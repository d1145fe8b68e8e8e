import { goBack } from './go-back.ts';
import type { LstmTape } from './lstm-loop.ts';
import {
  concat,
  gradientsOfSums,
  inputsAndStates,
  type Recurrence,
  type RecurrenceGradients,
} from './recurrence.ts';

interface LstmTerms {
  /** [B, H], of the loss by the cell after the last time. */
  readonly dLastCell: string;
  readonly tape: LstmTape;
}

/**
 * Back through an LSTM (ONNX, LSTM-22; Hochreiter & Schmidhuber 1997): c = f c' + i g and
 * h = o tanh(c), where the gates, in the order i o f g, are functions of x W' + h' R' + b, and c'
 * and h' are those of the time before.
 *
 * The slopes are worked out for all times at once from what the forward loop kept, which leaves
 * few products for the loop back.
 */
export function lstmGradients(
  layer: Recurrence,
  { dLastCell, tape }: LstmTerms,
): RecurrenceGradients & { readonly dInitialCell: string | undefined } {
  const { units } = layer;
  const { made, dInitial, dInitialCell } = goBack(layer, {
    factors: lstmFactors(layer, tape),
    dLastCell,
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
  const operands = inputsAndStates(layer);
  return { ...gradientsOfSums(layer, { dSums: made[0]!, dInitial, operands }), dInitialCell };
}

/** The slopes at all times, [T, B, H] each: by the state, and by the cell. */
function lstmFactors({ graph, states }: Recurrence, tape: LstmTape) {
  const { i, o, f, g, entering, kept, tanhCell } = tape;
  const mul = (...values: [string, string]) => graph.node('Mul', values);
  const sub = (...values: [string, string]) => graph.node('Sub', values);
  const restOf = (gate: string) => sub(graph.float(1), gate);
  return {
    // Each is its textbook form, such as o (1 - tanh(c)^2), with what is at hand put in.
    cellByState: sub(o, mul(states, tanhCell)),
    oByState: mul(states, restOf(o)),
    iByCell: mul(entering, restOf(i)),
    fByCell: mul(kept, restOf(f)),
    gByCell: sub(i, mul(entering, g)),
    f,
  };
}
