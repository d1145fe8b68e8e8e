import { goBack } from './go-back.ts';
import {
  affine,
  byTime,
  concat,
  flattened,
  gateParts,
  inputsAndStates,
  type Recurrence,
  type RecurrenceGradients,
  slice,
  tanhSlope,
  transposedProduct,
} from './recurrence.ts';

/**
 * Back through a GRU (ONNX, GRU-22; Cho et al., arXiv 1406.1078): h = (1 - z) n + z h', where the
 * gates, in the order z r n, are functions of x W' + w and of h' R' + b, and h' is the state of the
 * time before. The candidate n is tanh(x Wn' + wn + r m) with m = h' Rn' + bn where the reset gate
 * `resetsProduct` (linear_before_reset, as in PyTorch); else tanh(x Wn' + wn + (r h') Rn' + bn).
 *
 * The gates are worked out again for all times at once, from the states that the forward pass gave.
 */
export function gruGradients(layer: Recurrence, resetsProduct: boolean): RecurrenceGradients {
  const tape = gruTape(layer, resetsProduct);
  return resetsProduct ? throughProduct(layer, tape) : throughState(layer, tape);
}

interface GruTape {
  /** The slopes at all times, [T, B, H] each, and the gates where they are slopes themselves. */
  readonly factors: {
    readonly z: string;
    readonly zByState: string;
    readonly nByState: string;
    readonly r: string;
    /** Of r m, or of r h', by the sum of r. */
    readonly resetByR: string;
  };
  /** [T B, H], r h'. */
  readonly resetState: string;
  /** [2 H, H] of z and r, and [H, H] of n. */
  readonly weights: readonly [gates: string, candidate: string];
}

function gruTape(layer: Recurrence, resetsProduct: boolean): GruTape {
  const { graph, units, x, before, biases, inputWeight, stateWeight } = layer;
  const mul = (...values: [string, string]) => graph.node('Mul', values);
  const sub = (...values: [string, string]) => graph.node('Sub', values);
  const restOf = (gate: string) => sub(graph.float(1), gate);
  const product = (a: string, b: string, bias: string | undefined) =>
    byTime(layer, affine(graph, a, b, bias));

  const parts = (value: string) => gateParts(layer, value, 3);
  const ofInput = parts(inputWeight);
  const ofState = parts(stateWeight);
  const inputBias = biases && parts(biases.input);
  const stateBias = biases && parts(biases.state);
  const operands = inputsAndStates(layer);
  const gate = (at: 0 | 1) => {
    const bias = inputBias && stateBias && graph.node('Add', [inputBias[at]!, stateBias[at]!]);
    const weight = concat(graph, [ofInput[at]!, ofState[at]!], 1);
    return graph.node('Sigmoid', [product(operands, weight, bias)]);
  };
  const [z, r] = [gate(0), gate(1)];
  const resetState = mul(r, before);
  const multiplied = flattened(graph, resetsProduct ? before : resetState);
  const reached = product(multiplied, ofState[2]!, stateBias?.[2]);
  const reset = resetsProduct ? mul(r, reached) : resetState;
  const sum = graph.node('Add', [
    product(x, ofInput[2]!, inputBias?.[2]),
    resetsProduct ? reset : reached,
  ]);
  const n = graph.node('Tanh', [sum]);
  return {
    factors: {
      z,
      r,
      zByState: mul(mul(sub(before, n), z), restOf(z)),
      nByState: mul(restOf(z), tanhSlope(graph, n)),
      resetByR: mul(reset, restOf(r)),
    },
    resetState: flattened(graph, resetState),
    weights: [slice(graph, stateWeight, { from: 0, to: 2 * units, axis: 0 }), ofState[2]!],
  };
}

/** dr = dn m r (1 - r), dm = dn r and dh' = dz Rz + dr Rr + dm Rn + z dh. */
function throughProduct(layer: Recurrence, { factors }: GruTape): RecurrenceGradients {
  const { graph, units, x, before } = layer;
  const { made, dInitial } = goBack(layer, {
    factors,
    widths: [3 * units, units],
    body(step, { dState }, { z, r, zByState, nByState, resetByR }) {
      const mul = (...values: [string, string]) => step.node('Mul', values);
      const dN = mul(dState, nByState);
      const dSums = concat(step, [mul(dState, zByState), mul(dN, resetByR), mul(dN, r)], 1);
      const straight = mul(dState, z);
      return { dSums, weight: layer.stateWeight, straight, made: [dSums, dN] };
    },
  });
  const [dStateProducts, dN] = made as [string, string];
  const dGates = slice(graph, dStateProducts, { from: 0, to: 2 * units, axis: 1 });
  const dInputProducts = concat(graph, [dGates, dN], 1);
  return {
    dInputProducts,
    dStateProducts,
    dInputWeight: () => transposedProduct(graph, dInputProducts, x),
    dStateWeight: () => transposedProduct(graph, dStateProducts, flattened(graph, before)),
    dInitial,
  };
}

/** With dq = dn Rn: dr = dq h' r (1 - r) and dh' = dz Rz + dr Rr + z dh + r dq. */
function throughState(layer: Recurrence, tape: GruTape): RecurrenceGradients {
  const { graph, units, x, before } = layer;
  const { factors, weights, resetState } = tape;
  const { made, dInitial } = goBack(layer, {
    factors,
    widths: [2 * units, units],
    body(step, { dState }, { z, r, zByState, nByState, resetByR }) {
      const mul = (...values: [string, string]) => step.node('Mul', values);
      const dN = mul(dState, nByState);
      const dQ = step.node('Gemm', [dN, weights[1]]);
      const dSums = concat(step, [mul(dState, zByState), mul(dQ, resetByR)], 1);
      const straight = step.node('Add', [mul(dState, z), mul(dQ, r)]);
      return { dSums, weight: weights[0], straight, made: [dSums, dN] };
    },
  });
  const [dGates, dN] = made as [string, string];
  const dProducts = concat(graph, [dGates, dN], 1);
  const dGateWeights = () => transposedProduct(graph, dGates, flattened(graph, before));
  return {
    dInputProducts: dProducts,
    dStateProducts: dProducts,
    dInputWeight: () => transposedProduct(graph, dProducts, x),
    dStateWeight: () =>
      concat(graph, [dGateWeights(), transposedProduct(graph, dN, resetState)], 0),
    dInitial,
  };
}
