import type { ReportMark, Sample } from '../sample.ts';
import { type Track, trackOf } from './track.ts';

/** A stored sample as a track is made of it. */
export type StoredSample = Pick<Sample, 'timeMs' | 'value' | 'quality' | 'report'>;

/**
 * The track that stored samples of one property and one epoch come to, oldest first: of the newest
 * and those before it, back to where a report is missing, for the points behind a gap are not those
 * that the device predicts from. A newest sample that is no report is held, whatever came before.
 */
export function chainTrack(samples: readonly StoredSample[]): Track | undefined {
  let start = samples.length - 1;
  while (start > 0 && follows(samples[start]!, samples[start - 1]!)) start--;
  return trackOf(
    samples.slice(Math.max(0, start)).map(({ timeMs, value, quality, report }) => ({
      ...{ timeMs, value, quality },
      predictor: report?.predictor ?? 'hold',
      depth: report?.depth ?? (value === null ? 0 : 1),
    })),
  );
}

function follows({ report }: StoredSample, { report: before }: StoredSample): boolean {
  return report !== undefined && before !== undefined && report.ordinal === before.ordinal + 1;
}

/** A mark as a database keeps it, in one text. */
export function markToText(mark: ReportMark | undefined): string | null {
  if (mark === undefined) return null;
  const { ordinal, depth, predictor, tolerance, heartbeatMs } = mark;
  return JSON.stringify([ordinal, depth, predictor, tolerance, heartbeatMs]);
}

/** What {@link markToText} was given, as a part of the sample. */
export function textToMark(text: string | null): { readonly report?: ReportMark } {
  if (text === null) return {};
  const [ordinal, depth, predictor, tolerance, heartbeatMs] = JSON.parse(text) as StoredMark;
  return { report: { ordinal, depth, predictor, tolerance, heartbeatMs } };
}

type StoredMark = [number, number, string, number, number];
