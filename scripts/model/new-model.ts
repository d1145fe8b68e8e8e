import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import { createCnn1dModel } from '#shared/training/cnn1d-model.ts';
import { createGruModel } from '#shared/training/gru-model.ts';
import { createMlpModel } from '#shared/training/mlp-model.ts';
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

const makers: Readonly<Record<string, (options: NewModelOptions) => Uint8Array>> = {
  mlp: ({ in: features, out, window = 1, hidden = [32], activation = 'relu', seed }) =>
    createMlpModel({ inputs: features * window, hidden, outputs: out, activation, seed }),
  cnn1d: ({ in: inputs, out: outputs, window, hidden = [16, 16, 16], seed }) =>
    createCnn1dModel({ inputs, hidden, outputs, seed, ...(window && { window }) }),
  gru: ({ in: inputs, out: outputs, window, hidden = [32], seed }) =>
    createGruModel({ inputs, hidden, outputs, seed, ...(window && { window }) }),
};

/** `diten model new`: writes a model with random weights. */
export function newModel(kind: string, options: NewModelOptions): void {
  const make = makers[kind];
  if (make === undefined) {
    throw new ProgramError(
      'unknown-kind',
      `no model of kind ${kind}; give one of ${Object.keys(makers).join(', ')}`,
      { exit: exitCode.usage },
    );
  }
  if (kind !== 'mlp' && options.activation !== undefined) {
    throw new ProgramError('usage', `--activation is of an mlp; leave it out for ${kind}`, {
      exit: exitCode.usage,
    });
  }
  const file = options.output ?? `${kind}.onnx`;
  const bytes = make(options);
  writeOutputFile(file, bytes);
  console.log(`${file}: ${kind}, ${bytes.length} bytes`);
}
