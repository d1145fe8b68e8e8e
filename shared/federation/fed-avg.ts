import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import type { NamedTensor } from '../codec/tensor.ts';

export interface Contribution {
  readonly contributor: string;
  /** Windows learned from; the weight. */
  readonly sampleCount: number;
  readonly parameters: readonly NamedTensor[];
}

/**
 * Federated averaging (McMahan et al. 2017, Algorithm 1, line 8 of the server): the mean of the
 * parameters, weighted by sample counts. Summed in float64 in the order of the contributors' names,
 * so that the result does not depend on the order of arrival.
 *
 * Errors: `update-mismatch` where names or shapes differ between contributions.
 */
export function federatedAverage(
  contributions: readonly Contribution[],
): Result<NamedTensor[], Failure<'update-mismatch'>> {
  const sorted = [...contributions].sort((a, b) => (a.contributor < b.contributor ? -1 : 1));
  const [first] = sorted;
  if (first === undefined) return fail('update-mismatch', 'no contribution to average');
  const total = sorted.reduce((sum, { sampleCount }) => sum + sampleCount, 0);
  const sums = first.parameters.map(({ data }) => new Float64Array(data.length));
  for (const { contributor, sampleCount, parameters } of sorted) {
    if (!sameLayout(first.parameters, parameters)) {
      return fail('update-mismatch', `${contributor} sent parameters of another model`);
    }
    const weight = sampleCount / total;
    for (const [index, { data }] of parameters.entries()) addScaled(sums[index]!, data, weight);
  }
  return ok(
    first.parameters.map(({ name, shape }, index) => ({
      name,
      shape,
      data: Float32Array.from(sums[index]!),
    })),
  );
}

/** Whether two sets of tensors have the same names and shapes in the same order. */
export function sameLayout(a: readonly NamedTensor[], b: readonly NamedTensor[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, shape }, index) => {
      const other = b[index]!;
      return (
        other.name === name &&
        other.shape.length === shape.length &&
        other.shape.every((dimension, axis) => dimension === shape[axis])
      );
    })
  );
}

function addScaled(sum: Float64Array, values: Float32Array, weight: number): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += weight * values[i]!;
}
