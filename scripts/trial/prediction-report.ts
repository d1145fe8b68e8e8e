import { join } from 'node:path';
import { outboxSchema } from '#device-agent/outbox/outbox-schema.ts';
import { TwinTracks } from '#edge-node/twins/prediction/twin-tracks.ts';
import { twinSchema } from '#edge-node/twins/twin-schema.ts';
import { openDatabaseReadOnly } from '#runtime/database/database.ts';
import { predictedAt } from '#shared/twin/prediction/track.ts';
import { closing, outboxFile, twinFile } from './accounting.ts';
import type { MoteReading } from './motes.ts';
import { reportedInPart } from './trial-plan.ts';

/** How well a twin knew a property of which its device sent a part. */
export interface PredictionReport {
  readonly device: string;
  readonly property: string;
  /** How far the twin may be off, in the property's unit of measure. */
  readonly tolerance: number;
  /** How far it was off at most, at any original sample; `null` where it had no answer to one. */
  readonly worstError: number | null;
  /** Samples that the device took from the record. */
  readonly samples: number;
  /** Those of them that it sent. */
  readonly reports: number;
  /** How many samples went with one message. */
  readonly factor: number | null;
}

export interface PredictionSources {
  readonly deviceFolder: string;
  readonly edgeFolder: string;
  readonly record: readonly MoteReading[];
  readonly periodMs: number;
}

/**
 * Holds what the edge node's file says of each original sample's time against the data set itself.
 * Reads the files alone, so it holds for programs that were killed.
 */
export function predictionReport(device: string, sources: PredictionSources): PredictionReport[] {
  const { deviceFolder, edgeFolder } = sources;
  using outbox = closing(openDatabaseReadOnly(join(deviceFolder, outboxFile), outboxSchema));
  using twins = closing(openDatabaseReadOnly(join(edgeFolder, twinFile), twinSchema));
  const tracks = new TwinTracks(twins.value);
  const { startedMs } = outbox.value
    .prepare('SELECT started_ms AS startedMs FROM outbox')
    .get() as { startedMs: number };
  return reportedInPart.map(({ property, column, tolerance }) => {
    const { produced } = (outbox.value
      .prepare('SELECT produced FROM properties WHERE name = ?')
      .get(property) ?? { produced: 0 }) as { produced: number };
    const { reports } = twins.value
      .prepare(
        `SELECT count(*) AS reports FROM samples WHERE report IS NOT NULL
         AND property = (SELECT id FROM properties WHERE device = ? AND name = ?)`,
      )
      .get(device, property) as { reports: number };
    const errors = sources.record.slice(0, produced).map((reading, index) => {
      const timeMs = Math.round(startedMs + index * sources.periodMs);
      const promised = tracks.at({ device, property }, timeMs);
      const answer = promised && predictedAt(promised.track, timeMs);
      return answer === undefined ? Number.POSITIVE_INFINITY : Math.abs(answer - reading[column]);
    });
    const worst = errors.reduce((a, b) => Math.max(a, b), 0);
    return {
      ...{ device, property, tolerance },
      worstError: Number.isFinite(worst) ? worst : null,
      samples: errors.length,
      reports,
      factor: reports === 0 ? null : errors.length / reports,
    };
  });
}
