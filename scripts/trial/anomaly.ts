import { forecastError } from '#shared/federation/forecast.ts';
import { areaUnderCurve } from '#shared/twin/ranking.ts';
import { anomalyScoreProperty } from '#shared/twin/sample.ts';
import { readSeries } from './accounting.ts';
import type { MoteReading } from './motes.ts';
import { features } from './trial-plan.ts';

/** How well a mote's anomaly score tells the data set's labelled events from the rest. */
export interface AnomalyReport {
  readonly device: string;
  /** Readings that carry a score, and how many of them are labelled as an event. */
  readonly scored: number;
  readonly events: number;
  /** Area under the curve of the stored score; `null` where no event was scored. */
  readonly auc: number | null;
  /** The same readings scored by persistence: the next reading is as the last. */
  readonly persistenceAuc: number | null;
}

/** Joins the stored scores with the record's labels by the time of the reading. */
export function anomalyReport(
  device: string,
  { edgeFolder, record }: { edgeFolder: string; record: readonly MoteReading[] },
): AnomalyReport {
  const times = readSeries(edgeFolder, { device, property: features[0].property });
  const indexOf = new Map(times.map(({ timeMs }, index) => [timeMs, index]));
  const model: { score: number; positive: boolean }[] = [];
  const persistence: { score: number; positive: boolean }[] = [];
  for (const { timeMs, value } of readSeries(edgeFolder, {
    device,
    property: anomalyScoreProperty,
  })) {
    const index = indexOf.get(timeMs);
    if (index === undefined || index === 0 || value === null) continue;
    const positive = record[index]!.event;
    const change = { from: vector(record[index - 1]!), to: vector(record[index]!) };
    model.push({ score: value, positive });
    persistence.push({ score: forecastError({ features }, change, [0, 0]), positive });
  }
  return {
    device,
    scored: model.length,
    events: model.filter(({ positive }) => positive).length,
    auc: areaUnderCurve(model) ?? null,
    persistenceAuc: areaUnderCurve(persistence) ?? null,
  };
}

function vector({ temperature, humidity }: MoteReading): number[] {
  return [temperature, humidity];
}
