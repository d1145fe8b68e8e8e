import { join } from 'node:path';
import { outboxSchema } from '#device-agent/outbox/outbox-schema.ts';
import { twinSchema } from '#edge-node/twins/twin-schema.ts';
import { openDatabaseReadOnly } from '#runtime/database/database.ts';

/** What became of a device's samples, from its outbox's file and the edge node's. */
export interface DeviceAccount {
  readonly id: string;
  readonly produced: number;
  readonly committed: number;
  readonly droppedByRule: number;
  /** Produced, not dropped by rule, and not stored at the edge node. */
  readonly missing: number;
  /** Stored more than once, or never produced: another sample has its property and time. */
  readonly duplicated: number;
}

/** Names of the files within the programs' data folders. */
export const outboxFile = 'outbox.sqlite';
export const twinFile = 'twins.sqlite';

/**
 * Counts one device's samples on both sides. Reads the files alone, so it holds for programs that
 * have ended or were killed.
 */
export function accountForDevice(
  id: string,
  { deviceFolder, edgeFolder }: { deviceFolder: string; edgeFolder: string },
): DeviceAccount {
  const { epoch, produced, dropped } = readOutbox(join(deviceFolder, outboxFile));
  const stored = readStored(join(edgeFolder, twinFile), { id, epoch, produced });
  return {
    id,
    produced,
    committed: stored.committed,
    droppedByRule: dropped,
    // What was committed and dropped before its acknowledgement came counts on both sides.
    missing: Math.max(0, produced - dropped - stored.committed),
    duplicated: stored.repeated + stored.unknown,
  };
}

function readOutbox(file: string): { epoch: string; produced: number; dropped: number } {
  using database = closing(openDatabaseReadOnly(file, outboxSchema));
  return database.value.prepare('SELECT epoch, produced, dropped FROM outbox').get() as ReturnType<
    typeof readOutbox
  >;
}

function readStored(
  file: string,
  { id, epoch, produced }: { id: string; epoch: string; produced: number },
): { committed: number; repeated: number; unknown: number } {
  using database = closing(openDatabaseReadOnly(file, twinSchema));
  return database.value
    .prepare(
      `WITH stored AS (
         SELECT sequence, property, time_ms FROM samples
         JOIN streams ON streams.id = stream
         WHERE device = :id AND epoch = :epoch
       )
       SELECT
         (SELECT count(*) FROM stored WHERE sequence BETWEEN 1 AND :produced) AS committed,
         (SELECT count(*) FROM stored WHERE sequence > :produced) AS unknown,
         (SELECT count(*) - count(DISTINCT property || '/' || time_ms) FROM stored) AS repeated`,
    )
    .get({ id, epoch, produced }) as ReturnType<typeof readStored>;
}

/** One property's stored values by time of measurement, oldest first. */
export function readSeries(
  edgeFolder: string,
  { device, property }: { device: string; property: string },
): { timeMs: number; value: number | null }[] {
  using database = closing(openDatabaseReadOnly(join(edgeFolder, twinFile), twinSchema));
  return database.value
    .prepare(
      `SELECT time_ms AS timeMs, value FROM samples
       JOIN properties ON properties.id = property
       WHERE properties.device = ? AND properties.name = ? ORDER BY time_ms`,
    )
    .all(device, property) as ReturnType<typeof readSeries>;
}

/** Closes it where the block ends. */
export function closing<T extends { close(): void }>(value: T): { value: T } & Disposable {
  return { value, [Symbol.dispose]: () => value.close() };
}
