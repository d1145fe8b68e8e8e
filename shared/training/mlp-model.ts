import { createModelDraft, glorotBound, heBound } from './model-draft.ts';

export interface MlpOptions {
  readonly inputs: number;
  /** The widths of the hidden layers, from the input on. */
  readonly hidden: readonly number[];
  readonly outputs: number;
  /** After each hidden layer; `relu` unless given. */
  readonly activation?: 'relu' | 'tanh';
  readonly seed: number;
}

/**
 * A multilayer perceptron as an ONNX model, ready to train: `x` float [batch, inputs] ->
 * `y` float [batch, outputs]. Weights are uniform, scaled by He et al. (arXiv 1502.01852, eq. 10)
 * before a Relu and by Glorot & Bengio (AISTATS 2010, eq. 16) elsewhere; biases are zero. The same
 * options give the same bytes.
 */
export function createMlpModel(options: MlpOptions): Uint8Array<ArrayBuffer> {
  const { inputs, hidden, outputs, activation = 'relu', seed } = options;
  const draft = createModelDraft(seed);
  let value = 'x';
  let width = inputs;
  [...hidden, outputs].forEach((nextWidth, index) => {
    const layer = `layer${index + 1}`;
    const isLast = index === hidden.length;
    const sum = isLast ? 'y' : layer;
    const isGlorot = isLast || activation === 'tanh';
    const bound = isGlorot ? glorotBound(width, nextWidth) : heBound(width);
    draft.dense(layer, { input: value, output: sum }, { from: width, to: nextWidth, bound });
    value = `${layer}.${activation}`;
    width = nextWidth;
    if (isLast) return;
    draft.node({ operator: operators[activation], inputs: [sum], outputs: [value] });
  });
  return draft.finish({
    name: 'mlp',
    inputs: [{ name: 'x', shape: [null, inputs] }],
    outputs: [{ name: 'y', shape: [null, outputs] }],
  });
}

const operators = { relu: 'Relu', tanh: 'Tanh' } as const;
