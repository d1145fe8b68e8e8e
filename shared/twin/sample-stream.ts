import type { Sample } from './sample.ts';

/** What the edge node knows of one epoch of one device's outbox. */
export interface SampleStream {
  /** Every sequence up to this one is stored, or known to be absent. */
  readonly committed: number;
  /** Sequences the device no longer had when they were wanted: dropped by rule, or lost here. */
  readonly absent: number;
}

export const emptyStream: SampleStream = { committed: 0, absent: 0 };

/**
 * Takes from a message what continues the stream: nothing twice, and nothing that would leave a
 * gap, which the device closes by sending again from the acknowledged sequence.
 *
 * `available` is the oldest sequence the device can still deliver; `samples` are consecutive.
 */
export function admitSamples(
  stream: SampleStream,
  { available, samples }: { available: number; samples: readonly Sample[] },
): { stream: SampleStream; fresh: readonly Sample[] } {
  const skipped = Math.max(0, available - 1 - stream.committed);
  const from = stream.committed + skipped;
  const absent = stream.absent + skipped;
  const first = samples[0]?.sequence ?? Number.POSITIVE_INFINITY;
  if (first > from + 1) return { stream: { committed: from, absent }, fresh: [] };
  const fresh = samples.slice(from + 1 - first);
  return { stream: { committed: from + fresh.length, absent }, fresh };
}
