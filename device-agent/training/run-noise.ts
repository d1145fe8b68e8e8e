import type { OnnxTensor, OnnxTensors } from '#runtime/onnx/onnx-runtime.ts';
import { noisesName } from '#shared/training/artefact-names.ts';
import type { TrainingManifest } from '#shared/training/compile-training.ts';
import { createGaussianNoise } from './gaussian-noise.ts';

/**
 * Gaussian noise of the standard deviation `multiplier` times the clip norm over the examples of a
 * step, on the mean gradient: Abadi et al., Deep Learning with Differential Privacy (arXiv
 * 1607.00133), algorithm 1.
 */
export interface RunNoise {
  /** Sigma of that algorithm, 0 or more. */
  readonly multiplier: number;
  /**
   * 32 bytes. The same ones give the same noise in every step, so they must be random, of this run
   * only, and secret: who knows them takes the noise off again.
   */
  readonly seed: Uint8Array;
}

/** What a run feeds of noise. */
export interface NoiseFeeds {
  /** Steps in one call beyond which the noise would take too much memory. */
  readonly stepsMax: number;
  /** The noise of the steps from number `first` on, given their rows [steps, batchSize]. */
  of(order: OnnxTensor, first: number): OnnxTensors;
}

/** Of noise in one call, but for a single step that takes more. */
const SIZE_BYTES_MAX = 8 * 2 ** 20;

/** `undefined` where the task takes none; what is missing is not told here. */
export function createNoiseFeeds(
  { parameters, exampleClipping }: TrainingManifest,
  noise: RunNoise | undefined,
): NoiseFeeds | undefined {
  if (noise === undefined || exampleClipping === undefined) return undefined;
  const values = parameters.reduce((sum, { data }) => sum + data.length, 0);
  const source = createGaussianNoise(noise.seed);
  const bound = noise.multiplier * exampleClipping.normMax;
  return {
    stepsMax: Math.max(1, Math.floor(SIZE_BYTES_MAX / (values * Float32Array.BYTES_PER_ELEMENT))),
    of({ shape, data: rows }, first) {
      const [steps, batch] = shape as [number, number];
      const series = parameters.map(({ data }) => new Float32Array(steps * data.length));
      for (let step = 0; step < steps; step++) {
        const own = (rows as BigInt64Array).subarray(step * batch, (step + 1) * batch);
        const examples = own.filter((row) => row >= 0n).length;
        const parts = series.map((each, index) => {
          const size = parameters[index]!.data.length;
          return each.subarray(step * size, (step + 1) * size);
        });
        source.fill(parts, first + step, bound / examples);
      }
      return Object.fromEntries(
        parameters.map(({ name, shape: own }, index) => [
          noisesName(name),
          { shape: [steps, ...own], data: series[index]! },
        ]),
      );
    },
  };
}
