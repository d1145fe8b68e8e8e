import { join } from 'node:path';
import { outboxSchema } from '#device-agent/outbox/outbox-schema.ts';
import { twinSchema } from '#edge-node/twins/twin-schema.ts';
import { openDatabaseReadOnly } from '#runtime/database/database.ts';
import { closing, twinFile } from '../trial/accounting.ts';
import type { ChaosDevice } from './field.ts';

/** What became of the readings that a device's simulated sensors counted. */
export interface CountedValues {
  /** Readings made, by the greatest number each sensor came to. */
  readonly produced: number;
  /** Numbers that are not stored, and by no rule given up. */
  readonly missing: number;
  /** Numbers that are stored twice in one epoch of the outbox. */
  readonly repeated: number;
}

interface StoredValues {
  readonly distinct: number;
  readonly most: number | null;
  readonly repeated: number;
}

/**
 * Looks for holes and repetitions in the numbers stored at the edge node, whatever sequences they
 * came under: a witness of its own beside the accounting of sequences.
 */
export function countedValues(device: ChaosDevice, edgeFolder: string): CountedValues {
  const outboxFile = join(device.program.dataFolder, 'outbox.sqlite');
  using outbox = closing(openDatabaseReadOnly(outboxFile, outboxSchema));
  using twins = closing(openDatabaseReadOnly(join(edgeFolder, twinFile), twinSchema));
  const produced = outbox.value.prepare('SELECT produced FROM properties WHERE name = ?').pluck();
  const dropped = outbox.value
    .prepare('SELECT sum(count) FROM drops JOIN properties ON id = property WHERE name = ?')
    .pluck();
  const stored = twins.value.prepare(
    `WITH numbers AS (
       SELECT stream, value FROM samples JOIN properties ON properties.id = property
       WHERE device = ? AND name = ?
     )
     SELECT count(DISTINCT value) AS "distinct", max(value) AS most,
       count(*) - (SELECT count(*) FROM (SELECT DISTINCT stream, value FROM numbers)) AS repeated
     FROM numbers`,
  );
  const told = twins.value
    .prepare(
      `SELECT sum(count) FROM drops JOIN streams ON streams.id = stream
       WHERE device = ? AND property = ?`,
    )
    .pluck();
  const all = device.properties.map((name) => {
    const { distinct, most, repeated } = stored.get(device.id, name) as StoredValues;
    const made = Math.max(Number(produced.get(name) ?? 0), (most ?? -1) + 1);
    // A copy brought back knows of less than its outbox had told the edge node before.
    const givenUp = Math.max(Number(dropped.get(name)), Number(told.get(device.id, name)));
    return { made, missing: Math.max(0, made - distinct - givenUp), repeated };
  });
  return {
    produced: all.reduce((sum, { made }) => sum + made, 0),
    missing: all.reduce((sum, { missing }) => sum + missing, 0),
    repeated: all.reduce((sum, { repeated }) => sum + repeated, 0),
  };
}
