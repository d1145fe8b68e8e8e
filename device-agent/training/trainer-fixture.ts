import assert from 'node:assert/strict';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '#shared/basics/bytes.ts';
import type { Result } from '#shared/basics/result.ts';
import { encodeTensors, type NamedTensor } from '#shared/codec/tensor.ts';
import { createMlpModel } from '#shared/training/mlp-model.ts';
import type { TrainingRun } from './training-run.ts';
import type { TrainingTaskSpec } from './training-task.ts';

export const WINDOW = 6;
export const model = createMlpModel({ inputs: WINDOW, hidden: [12], outputs: 1, seed: 5 });
export const task: TrainingTaskSpec = { model, loss: 'mse', optimiser: { kind: 'adam' } };

/** Windows of a slow wave with a faster one on it, each with the reading that follows. */
export function series(count: number) {
  const at = (t: number) => Math.sin(t / 9) + 0.3 * Math.sin(t / 2);
  const inputs = Float32Array.from({ length: count * WINDOW }, (_, i) =>
    at(Math.floor(i / WINDOW) + (i % WINDOW)),
  );
  return { inputs, targets: Float32Array.from({ length: count }, (_, i) => at(i + WINDOW)), count };
}

/** Sixty steps, ten an epoch, of which the last is on a short minibatch. */
export function run(
  parameters: readonly NamedTensor[],
  changes: Partial<TrainingRun> = {},
): TrainingRun {
  const schedule = { batchSize: 16, epochs: 6, learningRate: 0.01, seed: 1 };
  return { parameters, ...series(150), ...schedule, ...changes };
}

export function value<T>(result: Result<T, { code: string; message: string }>): T {
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}

export function digest(tensors: readonly NamedTensor[]): string {
  return bytesToHex(sha256(encodeTensors(tensors)));
}
