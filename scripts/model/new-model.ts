import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import { createCnn1dModel } from '#shared/training/cnn1d-model.ts';
import { createGruModel } from '#shared/training/gru-model.ts';
import { createMlpModel } from '#shared/training/mlp-model.ts';
import { modelSizeBytesMax } from '#shared/training/model/onnx-proto.ts';
import { writeOutputFile } from './model-file.ts';

interface NewModelOptions {
  readonly in: number;
  readonly out: number;
  readonly window?: number;
  readonly hidden?: readonly number[];
  readonly activation?: 'relu' | 'tanh';
  readonly seed: number;
  readonly output?: string;
}

interface ModelKind {
  /** Of the hidden layers, unless given. */
  readonly hidden: readonly number[];
  /** The weights of a hidden layer, by the widths before and after it. */
  weights(from: number, to: number): number;
  make(options: NewModelOptions & { readonly hidden: readonly number[] }): Uint8Array;
}

const kinds: Readonly<Record<string, ModelKind>> = {
  mlp: {
    hidden: [32],
    weights: (from, to) => from * to,
    make: ({ in: features, out, window = 1, hidden, activation = 'relu', seed }) =>
      createMlpModel({ inputs: features * window, hidden, outputs: out, activation, seed }),
  },
  cnn1d: {
    hidden: [16, 16, 16],
    weights: (from, to) => 3 * from * to,
    make: ({ in: inputs, out: outputs, window, hidden, seed }) =>
      createCnn1dModel({ inputs, hidden, outputs, seed, ...(window && { window }) }),
  },
  gru: {
    hidden: [32],
    weights: (from, to) => 3 * (from + to) * to,
    make: ({ in: inputs, out: outputs, window, hidden, seed }) =>
      createGruModel({ inputs, hidden, outputs, seed, ...(window && { window }) }),
  },
};

/** `diten model new`: writes a model with random weights. */
export function newModel(kind: string, options: NewModelOptions): void {
  const found = kinds[kind];
  if (found === undefined) {
    throw new ProgramError(
      'unknown-kind',
      `no model of kind ${kind}; give one of ${Object.keys(kinds).join(', ')}`,
      { exit: exitCode.usage },
    );
  }
  if (kind !== 'mlp' && options.activation !== undefined) {
    throw new ProgramError('usage', `--activation is of an mlp; leave it out for ${kind}`, {
      exit: exitCode.usage,
    });
  }
  const file = options.output ?? `${kind}.onnx`;
  const { hidden = found.hidden } = options;
  checkSize(kind, found, { ...options, hidden });
  const bytes = found.make({ ...options, hidden });
  writeOutputFile(file, bytes);
  console.log(`${file}: ${kind}, ${bytes.length} bytes`);
}

/** What is larger than the compiler takes is not made: it would not fit into memory, either. */
function checkSize(
  kind: string,
  { weights }: ModelKind,
  { in: features, out, window = 1, hidden }: NewModelOptions & { hidden: readonly number[] },
): void {
  const widths = [kind === 'mlp' ? features * window : features, ...hidden];
  const layers = hidden.map((width, layer) => weights(widths[layer]!, width) + width);
  const count = layers.reduce((sum, layer) => sum + layer, (widths.at(-1)! + 1) * out);
  const sizeBytes = count * Float32Array.BYTES_PER_ELEMENT;
  if (sizeBytes <= modelSizeBytesMax) return;
  throw new ProgramError(
    'model-too-large',
    `its ${count} weights would take ${sizeBytes} bytes, more than ${modelSizeBytesMax}; give ` +
      'smaller widths',
    { exit: exitCode.usage },
  );
}
