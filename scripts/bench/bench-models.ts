import type { LossName } from '#shared/training/losses.ts';
import { createMlpModel } from '#shared/training/mlp-model.ts';
import { createModelDraft, glorotBound, heBound } from '#shared/training/model-draft.ts';

/** What to build; the PyTorch side builds the same from the same words. */
export type Architecture =
  | { readonly kind: 'mlp'; readonly widths: readonly number[] }
  /** On 28 x 28 pixels: 5 x 5 convolutions, each with Relu and 2 x 2 pooling, then dense layers. */
  | { readonly kind: 'cnn'; readonly channels: readonly number[]; readonly hidden: number }
  | {
      readonly kind: 'lstm';
      readonly inputs: number;
      readonly units: number;
      readonly steps: number;
      readonly outputs: number;
    };

export interface BenchModel {
  readonly name: string;
  readonly architecture: Architecture;
  readonly loss: LossName;
  /** Of one example. */
  readonly inputShape: readonly number[];
  /** Values, or classes for a cross-entropy. */
  readonly outputs: number;
  readonly batchSizes: readonly number[];
}

const image = [1, 28, 28];

/** The CNN of 1,663,370 parameters is that of McMahan et al. (AISTATS 2017, section 3). */
export const benchModels: readonly BenchModel[] = [
  {
    name: 'mlp-16-16-4',
    architecture: { kind: 'mlp', widths: [16, 16, 4] },
    loss: 'mse',
    inputShape: [16],
    outputs: 4,
    batchSizes: [1, 16, 64],
  },
  {
    name: 'mlp-784-200-10',
    architecture: { kind: 'mlp', widths: [784, 200, 10] },
    loss: 'cross-entropy',
    inputShape: [784],
    outputs: 10,
    batchSizes: [10, 64],
  },
  {
    name: 'lstm-64x32',
    architecture: { kind: 'lstm', inputs: 8, units: 64, steps: 32, outputs: 1 },
    loss: 'mse',
    inputShape: [32, 8],
    outputs: 1,
    batchSizes: [1, 16, 64],
  },
  {
    name: 'cnn-54k',
    architecture: { kind: 'cnn', channels: [8, 16], hidden: 64 },
    loss: 'cross-entropy',
    inputShape: image,
    outputs: 10,
    batchSizes: [10, 64],
  },
  {
    name: 'cnn-1.7M',
    architecture: { kind: 'cnn', channels: [32, 64], hidden: 512 },
    loss: 'cross-entropy',
    inputShape: image,
    outputs: 10,
    batchSizes: [10],
  },
];

export function createBenchModel({ architecture }: BenchModel): Uint8Array {
  switch (architecture.kind) {
    case 'mlp': {
      const [inputs, ...others] = architecture.widths as [number, ...number[]];
      const outputs = others.at(-1)!;
      return createMlpModel({ inputs, hidden: others.slice(0, -1), outputs, seed: 1 });
    }
    case 'cnn':
      return createImageCnn(architecture);
    case 'lstm':
      return createLstm(architecture);
  }
}

const KERNEL = 5;

function createImageCnn({ channels, hidden }: Architecture & { kind: 'cnn' }): Uint8Array {
  const draft = createModelDraft(1);
  let value = 'x';
  let width = 1;
  let side = 28;
  for (const [index, next] of channels.entries()) {
    const layer = `conv${index + 1}`;
    const shape = [next, width, KERNEL, KERNEL];
    const weight = draft.weight(`${layer}.weight`, shape, heBound(width * KERNEL ** 2));
    const conv = { pads: { ints: [2, 2, 2, 2] }, kernel_shape: { ints: [KERNEL, KERNEL] } };
    const pool = { kernel_shape: { ints: [2, 2] }, strides: { ints: [2, 2] } };
    const inputs = [value, weight, draft.zeros(`${layer}.bias`, [next])];
    draft.node({ operator: 'Conv', inputs, outputs: [layer], attributes: conv });
    draft.node({ operator: 'Relu', inputs: [layer], outputs: [`${layer}.relu`] });
    value = `${layer}.pool`;
    const inputOfPool = [`${layer}.relu`];
    draft.node({ operator: 'MaxPool', inputs: inputOfPool, outputs: [value], attributes: pool });
    width = next;
    side /= 2;
  }
  const from = width * side ** 2;
  draft.node({ operator: 'Flatten', inputs: [value], outputs: ['flat'] });
  draft.dense('fc1', { input: 'flat', output: 'fc1' }, { from, to: hidden, bound: heBound(from) });
  draft.node({ operator: 'Relu', inputs: ['fc1'], outputs: ['fc1.relu'] });
  const last = { from: hidden, to: 10, bound: glorotBound(hidden, 10) };
  draft.dense('fc2', { input: 'fc1.relu', output: 'y' }, last);
  return draft.finish({
    name: 'cnn',
    inputs: [{ name: 'x', shape: [null, 1, 28, 28] }],
    outputs: [{ name: 'y', shape: [null, 10] }],
  });
}

/** The last state of an LSTM over [batch, steps, inputs], and a dense layer. */
function createLstm(lstm: Architecture & { kind: 'lstm' }): Uint8Array {
  const { inputs, units, steps, outputs } = lstm;
  const draft = createModelDraft(1);
  const bound = 1 / Math.sqrt(units);
  const byTime = { perm: { ints: [1, 0, 2] } };
  draft.node({ operator: 'Transpose', inputs: ['x'], outputs: ['by-time'], attributes: byTime });
  draft.node({
    operator: 'LSTM',
    inputs: [
      'by-time',
      draft.weight('lstm.input-weight', [1, 4 * units, inputs], bound),
      draft.weight('lstm.state-weight', [1, 4 * units, units], bound),
      draft.weight('lstm.bias', [1, 8 * units], bound),
    ],
    outputs: ['', 'states'],
    attributes: { hidden_size: { int: units } },
  });
  const axis = draft.ints('direction', [0]);
  draft.node({ operator: 'Squeeze', inputs: ['states', axis], outputs: ['state'] });
  const size = { from: units, to: outputs, bound: glorotBound(units, outputs) };
  draft.dense('head', { input: 'state', output: 'y' }, size);
  return draft.finish({
    name: 'lstm',
    inputs: [{ name: 'x', shape: [null, steps, inputs] }],
    outputs: [{ name: 'y', shape: [null, outputs] }],
  });
}
