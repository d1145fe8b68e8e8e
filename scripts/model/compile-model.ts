import { compileTask } from '#device-agent/training/training-task.ts';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import type { TrainingGraphs } from '#shared/training/compile-training.ts';
import type { LossOptions } from '#shared/training/losses.ts';
import type { OptimiserOptions } from '#shared/training/optimisers.ts';
import { unwrap } from './model-file.ts';

interface CompileOptions {
  readonly loss: LossOptions;
  readonly optimiser?: OptimiserOptions;
  readonly freeze: readonly string[];
}

/** Compiles a model for training; `file` is what its failure is blamed on. */
export async function compileModel(
  model: Uint8Array,
  { file, options }: { file: string; options: CompileOptions },
): Promise<TrainingGraphs> {
  const { loss, optimiser = { kind: 'sgd' }, freeze } = options;
  const spec = { model, loss, optimiser, frozen: freeze };
  return unwrap(await compileTask(nodeOnnxRuntime, spec), file);
}
