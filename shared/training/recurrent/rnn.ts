import type { GraphBuilder } from '../graph-builder.ts';
import { goBack } from './go-back.ts';
import {
  gradientsOfSums,
  inputsAndStates,
  type Recurrence,
  type RecurrenceGradients,
  sigmoidSlope,
  tanhSlope,
} from './recurrence.ts';

/** The slope of each function a simple layer may have, from its output. */
export const rnnSlopes: Readonly<Record<string, (graph: GraphBuilder, y: string) => string>> = {
  tanh: tanhSlope,
  sigmoid: sigmoidSlope,
  relu: (graph, y) => graph.node('Sign', [y]),
};

/** Back through a simple layer (ONNX, RNN-22): h = f(x W' + h' R' + b). */
export function rnnGradients(layer: Recurrence, activation: string): RecurrenceGradients {
  const { graph, states, units, stateWeight } = layer;
  const { made, dInitial } = goBack(layer, {
    factors: { slope: rnnSlopes[activation]!(graph, states) },
    widths: [units],
    body(step, { dState }, { slope }) {
      const dSums = step.node('Mul', [dState, slope]);
      return { dSums, weight: stateWeight, made: [dSums] };
    },
  });
  return gradientsOfSums(layer, { dSums: made[0]!, dInitial, operands: inputsAndStates(layer) });
}
