import type { ArtefactName } from '#shared/training/artefacts.ts';
import type { LossName } from '#shared/training/losses.ts';
import type { OptimiserName } from '#shared/training/optimisers.ts';
import { compileModel } from './compile-model.ts';
import { readModelFile, writeOutputFile } from './model-file.ts';
import { describePort } from './port-text.ts';

interface GraphOptions {
  readonly artefact: ArtefactName;
  readonly loss: LossName;
  readonly optimiser: OptimiserName;
  readonly freeze: readonly string[];
  readonly output: string;
}

/** `diten model graph`: writes a training graph and prints what it takes and gives. */
export async function graph(file: string, options: GraphOptions): Promise<void> {
  const { artefact, output, freeze } = options;
  const graphs = await compileModel(readModelFile(file), {
    file,
    options: { freeze, loss: { kind: options.loss }, optimiser: { kind: options.optimiser } },
  });
  writeOutputFile(output, graphs[artefact]);
  const { inputs, outputs } = graphs.manifest.artefacts[artefact];
  console.log(`${output}: ${artefact} of ${file}, ${graphs[artefact].length} bytes`);
  for (const port of inputs) console.log(`  takes ${describePort(port)}`);
  for (const port of outputs) console.log(`  gives ${describePort(port)}`);
}
