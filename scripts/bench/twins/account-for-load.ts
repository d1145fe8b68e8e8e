import { join } from 'node:path';
import { twinSchema } from '#edge-node/twins/twin-schema.ts';
import { openDatabaseReadOnly } from '#runtime/database/database.ts';

/**
 * Counts what the edge node's file holds of what each device sent (sequences from 1 on), each
 * sequence by its number, and what retention took out: `missing` are those that are not there.
 */
export function countStored(
  dataFolder: string,
  sentByDevice: Readonly<Record<string, number>>,
): { readonly stored: number; readonly missing: number } {
  const database = openDatabaseReadOnly(join(dataFolder, 'twins.sqlite'), twinSchema);
  const count = database
    .prepare(
      `SELECT count(*) + coalesce(max(removed), 0)
       FROM streams LEFT JOIN samples ON streams.id = stream
       WHERE device = ? AND sequence BETWEEN 1 AND ?`,
    )
    .pluck();
  let [stored, sent] = [0, 0];
  for (const [device, sequences] of Object.entries(sentByDevice)) {
    stored += count.get(device, sequences) as number;
    sent += sequences;
  }
  database.close();
  return { stored, missing: sent - stored };
}
