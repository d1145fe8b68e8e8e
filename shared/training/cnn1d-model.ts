import { createModelDraft, glorotBound, heBound } from './model-draft.ts';

export interface Cnn1dOptions {
  /** Channels of the input. */
  readonly inputs: number;
  /** Readings in the input; any number of 1 or more unless given. */
  readonly window?: number;
  /** Channels of the hidden layers, from the input on; one or more. */
  readonly hidden: readonly number[];
  readonly outputs: number;
  readonly seed: number;
}

const KERNEL = 3;

/**
 * A causal convolutional network over time as an ONNX model, ready to train: `x` float
 * [batch, inputs, window] -> `y` float [batch, outputs]. Layer k looks at three readings 2^(k-1)
 * apart and at none to come (Bai et al., arXiv 1803.01271, section 3.1); the output is a linear
 * function of the last layer at the latest reading. Weights as in `createMlpModel`.
 */
export function createCnn1dModel(options: Cnn1dOptions): Uint8Array<ArrayBuffer> {
  const { inputs, window = null, hidden, outputs, seed } = options;
  const draft = createModelDraft(seed);
  let value = 'x';
  let width = inputs;
  hidden.forEach((nextWidth, index) => {
    const layer = `layer${index + 1}`;
    const shape = [nextWidth, width, KERNEL];
    const dilation = 2 ** index;
    draft.node({
      operator: 'Conv',
      inputs: [
        value,
        draft.weight(`${layer}.weight`, shape, heBound(width * KERNEL)),
        draft.zeros(`${layer}.bias`, [nextWidth]),
      ],
      outputs: [layer],
      attributes: {
        kernel_shape: { ints: [KERNEL] },
        dilations: { ints: [dilation] },
        pads: { ints: [(KERNEL - 1) * dilation, 0] },
      },
    });
    value = `${layer}.relu`;
    width = nextWidth;
    draft.node({ operator: 'Relu', inputs: [layer], outputs: [value] });
  });
  // An index that is a list keeps the axis, so that the rank is plain to see: Flatten drops it.
  const last = draft.ints('last.index', [-1]);
  draft.node({
    operator: 'Gather',
    inputs: [value, last],
    outputs: ['last'],
    attributes: { axis: { int: 2 } },
  });
  draft.node({ operator: 'Flatten', inputs: ['last'], outputs: ['last.flat'] });
  const bound = glorotBound(width, outputs);
  draft.dense('head', { input: 'last.flat', output: 'y' }, { from: width, to: outputs, bound });
  return draft.finish({
    name: 'cnn1d',
    inputs: [{ name: 'x', shape: [null, inputs, window] }],
    outputs: [{ name: 'y', shape: [null, outputs] }],
  });
}
