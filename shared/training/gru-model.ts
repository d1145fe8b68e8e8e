import { createModelDraft, glorotBound } from './model-draft.ts';

export interface GruOptions {
  /** Features of one reading. */
  readonly inputs: number;
  /** Readings in the input; any number of 1 or more unless given. */
  readonly window?: number;
  /** Units of the recurrent layers, from the input on; one or more. */
  readonly hidden: readonly number[];
  readonly outputs: number;
  readonly seed: number;
}

/**
 * A gated recurrent network (Cho et al., arXiv 1406.1078; the reset gate applied after the
 * recurrent product, as in PyTorch) as an ONNX model, ready to train: `x` float
 * [batch, window, inputs] -> `y` float [batch, outputs], a linear function of the last layer's last
 * state. Recurrent weights are uniform within 1 / sqrt(units), as in PyTorch; biases are zero.
 */
export function createGruModel(options: GruOptions): Uint8Array<ArrayBuffer> {
  const { inputs, window = null, hidden, outputs, seed } = options;
  const draft = createModelDraft(seed);
  draft.node({
    operator: 'Transpose',
    inputs: ['x'],
    outputs: ['x.by-time'],
    attributes: { perm: { ints: [1, 0, 2] } },
  });
  let value = 'x.by-time';
  let width = inputs;
  hidden.forEach((units, index) => {
    const layer = `layer${index + 1}`;
    const isLast = index === hidden.length - 1;
    const bound = 1 / Math.sqrt(units);
    // Y [time, direction, batch, units] goes on to the next layer, Y_h, without time, to the head.
    draft.node({
      operator: 'GRU',
      inputs: [
        value,
        draft.weight(`${layer}.input-weight`, [1, 3 * units, width], bound),
        draft.weight(`${layer}.state-weight`, [1, 3 * units, units], bound),
        draft.zeros(`${layer}.bias`, [1, 6 * units]),
      ],
      outputs: isLast ? ['', layer] : [layer],
      attributes: { hidden_size: { int: units }, linear_before_reset: { int: 1 } },
    });
    const axis = draft.ints(`${layer}.direction`, [isLast ? 0 : 1]);
    value = `${layer}.states`;
    draft.node({ operator: 'Squeeze', inputs: [layer, axis], outputs: [value] });
    width = units;
  });
  const bound = glorotBound(width, outputs);
  draft.dense('head', { input: value, output: 'y' }, { from: width, to: outputs, bound });
  return draft.finish({
    name: 'gru',
    inputs: [{ name: 'x', shape: [null, window, inputs] }],
    outputs: [{ name: 'y', shape: [null, outputs] }],
  });
}
