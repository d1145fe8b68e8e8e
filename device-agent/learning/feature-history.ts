import type { FeatureVector } from '#shared/federation/forecast.ts';
import type { Sample } from '#shared/twin/sample.ts';
import type { TaskDefinition } from '#shared/wire/learning.ts';
import type { Outbox } from '../outbox/outbox.ts';

/** All features of a task at one time. */
export interface FeatureReading {
  readonly timeMs: number;
  readonly vector: FeatureVector;
}

/**
 * The device's own record for learning: the newest `count` readings that were measured, or of them
 * up to the mark `through`, at which every feature of the task was measured well, oldest first.
 * Whether they were all sent makes no difference.
 */
export function recallFeatures(
  outbox: Outbox,
  { features }: Pick<TaskDefinition, 'features'>,
  { count, through }: { readonly count: number; readonly through?: number },
): FeatureReading[] {
  const [first, ...others] = features.map(({ property }) =>
    outbox.measured.newestOf(property, count, through),
  );
  const valuesByTime = others.map(
    (samples) => new Map(samples.map((sample) => [sample.timeMs, sample])),
  );
  const readings: FeatureReading[] = [];
  for (const sample of first ?? []) {
    const vector = usableVector([
      sample,
      ...valuesByTime.map((samples) => samples.get(sample.timeMs)),
    ]);
    if (vector !== undefined) readings.push({ timeMs: sample.timeMs, vector });
  }
  return readings;
}

/** The values of one reading in the order of a task's features; `undefined` unless all are well. */
export function usableVector(
  samples: readonly (Pick<Sample, 'value' | 'quality'> | undefined)[],
): FeatureVector | undefined {
  const values: number[] = [];
  for (const sample of samples) {
    if (sample === undefined || sample.quality !== 'ok' || sample.value === null) return undefined;
    values.push(sample.value);
  }
  return values;
}
