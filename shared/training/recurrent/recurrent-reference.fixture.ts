/** A recurrent layer's sizes: time, batch, features, units; and what it is. */
export interface RecurrentLayer {
  readonly operator: 'LSTM' | 'GRU' | 'RNN';
  readonly direction: 'forward' | 'reverse' | 'bidirectional';
  readonly time: number;
  readonly batch: number;
  readonly features: number;
  readonly units: number;
  /** Of a GRU. */
  readonly resetsProduct?: boolean;
  /** Of an RNN, one for each direction. */
  readonly activations?: readonly string[];
}

/** Flat tensors by ONNX's names: X, W, R, and B, initial_h, initial_c where the layer has them. */
export type RecurrentInputs = Readonly<Record<string, ArrayLike<number>>>;

export const gateCounts = { LSTM: 4, GRU: 3, RNN: 1 } as const;

export function directionCount({ direction }: RecurrentLayer): number {
  return direction === 'bidirectional' ? 2 : 1;
}

/**
 * The layer's outputs by the operators' definitions (ONNX, LSTM-22, GRU-22, RNN-22), one number at
 * a time in double precision.
 */
export function referenceOutputs(layer: RecurrentLayer, inputs: RecurrentInputs) {
  const { time, batch, units } = layer;
  const directions = directionCount(layer);
  const outputs = {
    Y: new Float64Array(time * directions * batch * units),
    Y_h: new Float64Array(directions * batch * units),
    Y_c: new Float64Array(directions * batch * units),
  };
  for (let d = 0; d < directions; d++) {
    for (let b = 0; b < batch; b++) {
      const start = (d * batch + b) * units;
      const own = (name: string) =>
        Array.from({ length: units }, (_, u) => inputs[name]?.[start + u] ?? 0);
      let h = own('initial_h');
      let c = own('initial_c');
      for (let step = 0; step < time; step++) {
        const isReversed = d === 1 || layer.direction === 'reverse';
        const t = isReversed ? time - 1 - step : step;
        [h, c] = nextState(layer, inputs, { d, b, t, h, c });
        outputs.Y.set(h, ((t * directions + d) * batch + b) * units);
      }
      outputs.Y_h.set(h, start);
      outputs.Y_c.set(c, start);
    }
  }
  return outputs;
}

interface Place {
  readonly d: number;
  readonly b: number;
  readonly t: number;
  readonly h: readonly number[];
  readonly c: readonly number[];
}

function nextState(layer: RecurrentLayer, inputs: RecurrentInputs, place: Place) {
  const { batch, features, units } = layer;
  const { d, b, t, h, c } = place;
  const rows = gateCounts[layer.operator] * units;
  const bias = (row: number) => inputs.B?.[2 * d * rows + row] ?? 0;
  /** x W' + w and h R' + r for gate `gate` of unit `u`. */
  const ofInput = (gate: number, u: number) => {
    const row = gate * units + u;
    let sum = bias(row);
    for (let i = 0; i < features; i++) {
      sum +=
        inputs.X![(t * batch + b) * features + i]! * inputs.W![(d * rows + row) * features + i]!;
    }
    return sum;
  };
  const ofState = (gate: number, u: number, state = h) => {
    const row = gate * units + u;
    let sum = bias(rows + row);
    for (let k = 0; k < units; k++) sum += state[k]! * inputs.R![(d * rows + row) * units + k]!;
    return sum;
  };
  const sum = (gate: number, u: number) => ofInput(gate, u) + ofState(gate, u);
  switch (layer.operator) {
    case 'LSTM': {
      const cell = c.map(
        (old, u) => sigmoid(sum(2, u)) * old + sigmoid(sum(0, u)) * Math.tanh(sum(3, u)),
      );
      return [cell.map((value, u) => sigmoid(sum(1, u)) * Math.tanh(value)), cell] as const;
    }
    case 'GRU': {
      const reset = h.map((old, u) => sigmoid(sum(1, u)) * old);
      const state = h.map((old, u) => {
        const z = sigmoid(sum(0, u));
        const product = layer.resetsProduct
          ? sigmoid(sum(1, u)) * ofState(2, u)
          : ofState(2, u, reset);
        return (1 - z) * Math.tanh(ofInput(2, u) + product) + z * old;
      });
      return [state, c.slice()] as const;
    }
    case 'RNN': {
      const f = functions[layer.activations?.[d] ?? 'Tanh']!;
      return [h.map((_, u) => f(sum(0, u))), c.slice()] as const;
    }
  }
}

const functions: Readonly<Record<string, (x: number) => number>> = {
  Tanh: Math.tanh,
  Sigmoid: sigmoid,
  Relu: (x) => Math.max(x, 0),
};

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
