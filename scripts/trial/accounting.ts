import { join } from 'node:path';
import { outboxSchema } from '#device-agent/outbox/outbox-schema.ts';
import { twinSchema } from '#edge-node/twins/twin-schema.ts';
import {
  type Database,
  type DatabaseSchema,
  openDatabaseReadOnly,
} from '#runtime/database/database.ts';
import { ProgramError } from '#runtime/process/program-error.ts';
import { type DropRule, dropRules } from '#shared/twin/sample-stream.ts';

/** Samples given up, by rule; rules that gave up none are left out. */
export type Drops = Partial<Record<DropRule, number>>;

/** What became of a device's samples, from its outbox's file and the edge node's. */
export interface DeviceAccount {
  readonly id: string;
  /** In all epochs of the outbox, those included that were taken before it was brought back. */
  readonly produced: number;
  readonly committed: number;
  readonly droppedByRule: number;
  /** The same by rule. */
  readonly drops: Drops;
  /** Still in the outbox, to be delivered. */
  readonly waiting: number;
  /** Produced, not dropped by rule, not waiting, and not stored at the edge node. */
  readonly missing: number;
  /** Stored more than once, or never produced. */
  readonly duplicated: number;
}

/** The account of a device that has ended: what it did not deliver is missing. */
export function finalAccount(account: DeviceAccount): DeviceAccount {
  return { ...account, missing: account.missing + account.waiting };
}

/** Names of the files within the programs' data folders. */
export const outboxFile = 'outbox.sqlite';
export const twinFile = 'twins.sqlite';

/**
 * Counts one device's samples on both sides. Reads the files alone, so it holds for programs that
 * run, have ended or were killed.
 *
 * Errors: those of `openDatabaseReadOnly`, `database-older`.
 */
export function accountForDevice(
  id: string,
  { deviceFolder, edgeFolder }: { deviceFolder: string; edgeFolder: string },
): DeviceAccount {
  using outbox = closing(openCurrent(join(deviceFolder, outboxFile), outboxSchema));
  using twins = closing(openCurrent(join(edgeFolder, twinFile), twinSchema));
  // What the outbox had before the edge node was read; what it produced after it was.
  const epochs = outbox.value.transaction(() => {
    const kept = readEpochs(outbox.value);
    return twins.value.transaction(() => {
      const streams = readStreams(twins.value, id);
      const known = kept.map((epoch) => {
        const { stream, counts } = countStored(twins.value, { streams, ...epoch });
        return epoch.current
          ? currentAccount(outbox.value, { epoch, stream, counts })
          : pastAccount(epoch, { stream, counts });
      });
      const names = new Set(kept.map(({ epoch }) => epoch));
      const others = streams
        .filter(({ epoch }) => !names.has(epoch))
        .map(({ epoch }) => {
          const nothing = { epoch, produced: 0, shared: 0, drops: {}, current: false };
          return pastAccount(nothing, countStored(twins.value, { streams, ...nothing }));
        });
      return [...known, ...others];
    })();
  })();
  return { id, ...sum(epochs) };
}

/** An epoch as the outbox knows it: up to `shared` the edge node has what this outbox produced. */
interface Epoch {
  readonly epoch: string;
  readonly current: boolean;
  readonly produced: number;
  readonly shared: number;
  readonly drops: Drops;
}

/** An epoch as the edge node knows it. */
interface Stream {
  readonly id: number;
  readonly epoch: string;
  readonly committed: number;
  /** Committed, and taken out by retention since. */
  readonly removed: number;
  readonly drops: Drops;
}

interface StoredCounts {
  /** Up to the sequence `shared`. */
  readonly shared: number;
  readonly beyond: number;
  readonly repeated: number;
}

type EpochAccount = Omit<DeviceAccount, 'id' | 'droppedByRule'>;

function readEpochs(outbox: Database): Epoch[] {
  const epochs = outbox
    .prepare(
      `SELECT epoch, produced, shared, 0 AS current FROM past_epochs
       UNION ALL SELECT epoch, produced, produced, 1 FROM outbox`,
    )
    .all() as (Omit<Epoch, 'drops' | 'current'> & { current: number })[];
  const drops = outbox.prepare('SELECT rule, sum(count) FROM drops WHERE epoch = ? GROUP BY rule');
  return epochs.map(({ current, ...epoch }) => ({
    ...epoch,
    current: current === 1,
    drops: Object.fromEntries(drops.raw().all(epoch.epoch) as [string, number][]),
  }));
}

function readStreams(twins: Database, device: string): Stream[] {
  const streams = twins
    .prepare('SELECT id, epoch, committed, removed FROM streams WHERE device = ?')
    .all(device) as Omit<Stream, 'drops'>[];
  const drops = twins.prepare('SELECT rule, sum(count) FROM drops WHERE stream = ? GROUP BY rule');
  return streams.map((stream) => ({
    ...stream,
    drops: Object.fromEntries(drops.raw().all(stream.id) as [string, number][]),
  }));
}

function countStored(
  twins: Database,
  { streams, epoch, shared }: { streams: readonly Stream[]; epoch: string; shared: number },
): { stream: Stream | undefined; counts: StoredCounts } {
  const stream = streams.find((each) => each.epoch === epoch);
  if (stream === undefined) return { stream, counts: { shared: 0, beyond: 0, repeated: 0 } };
  const counts = twins
    .prepare(
      `SELECT
         count(*) FILTER (WHERE sequence <= :shared) AS shared,
         count(*) FILTER (WHERE sequence > :shared) AS beyond,
         count(*) - (SELECT count(*) FROM (
           SELECT DISTINCT property, time_ms, value FROM samples WHERE stream = :stream
         )) AS repeated
       FROM samples WHERE stream = :stream`,
    )
    .get({ stream: stream.id, shared }) as StoredCounts;
  // Whose they were nobody knows any more: the oldest went first.
  const removed = Math.min(stream.removed, shared - counts.shared);
  const beyond = counts.beyond + stream.removed - removed;
  return { stream, counts: { ...counts, shared: counts.shared + removed, beyond } };
}

function currentAccount(
  outbox: Database,
  { epoch, stream, counts }: { epoch: Epoch; stream: Stream | undefined; counts: StoredCounts },
): EpochAccount {
  const { produced, drops } = epoch;
  const waiting = outbox
    .prepare('SELECT count(*) FROM samples WHERE sequence > ?')
    .pluck()
    .get(stream?.committed ?? 0) as number;
  const missing = Math.max(0, produced - total(drops) - waiting - counts.shared);
  return {
    ...{ produced, committed: counts.shared, drops, waiting, missing },
    duplicated: counts.repeated + unknownBeyond(outbox, counts),
  };
}

/** Stored under sequences that the outbox, which may be running, has not come to by now. */
function unknownBeyond(outbox: Database, { beyond }: StoredCounts): number {
  if (beyond === 0) return 0;
  using now = closing(openCurrent(outbox.name, outboxSchema));
  const produced = now.value.prepare('SELECT produced FROM outbox').pluck().get() as number;
  const then = outbox.prepare('SELECT produced FROM outbox').pluck().get() as number;
  return Math.max(0, beyond - (produced - then));
}

/** Beyond what is shared, the outbox that produced it is gone: the edge node is the one witness. */
function pastAccount(
  { produced, shared, drops }: Epoch,
  { stream, counts }: { stream: Stream | undefined; counts: StoredCounts },
): EpochAccount {
  const beyond = Math.max(0, (stream?.committed ?? 0) - shared);
  const told = upTo(stream?.drops ?? {}, beyond - counts.beyond);
  // A copy may give up what the outbox it was taken of had delivered.
  const lost = upTo(drops, produced - counts.shared);
  return {
    produced: produced + beyond,
    committed: counts.shared + counts.beyond,
    drops: add(lost, told),
    waiting: 0,
    missing: produced + beyond - counts.shared - counts.beyond - total(lost) - total(told),
    duplicated: counts.repeated,
  };
}

function sum(epochs: readonly EpochAccount[]): Omit<DeviceAccount, 'id'> {
  const of = (name: 'produced' | 'committed' | 'waiting' | 'missing' | 'duplicated') =>
    epochs.reduce((count, epoch) => count + epoch[name], 0);
  const drops = epochs.reduce((all: Drops, epoch) => add(all, epoch.drops), {});
  return {
    produced: of('produced'),
    committed: of('committed'),
    droppedByRule: total(drops),
    drops,
    waiting: of('waiting'),
    missing: of('missing'),
    duplicated: of('duplicated'),
  };
}

function add(one: Drops, other: Drops): Drops {
  return Object.fromEntries(
    dropRules.flatMap((rule) => {
      const count = (one[rule] ?? 0) + (other[rule] ?? 0);
      return count === 0 ? [] : [[rule, count]];
    }),
  );
}

function total(drops: Drops): number {
  return Object.values(drops).reduce((count, each) => count + each, 0);
}

/** So much of the counts as `most` allows. */
function upTo(drops: Drops, most: number): Drops {
  let left = most;
  return Object.fromEntries(
    Object.entries(drops).map(([rule, count]) => {
      const taken = Math.min(left, count);
      left -= taken;
      return [rule, taken];
    }),
  );
}

function openCurrent(file: string, schema: DatabaseSchema): Database {
  const database = openDatabaseReadOnly(file, schema);
  const version = database.pragma('user_version', { simple: true }) as number;
  if (version === schema.migrations.length) return database;
  database.close();
  throw new ProgramError(
    'database-older',
    `${file}: this ${schema.name} was written by an older DITEN (format ${version}, this one ` +
      `reads ${schema.migrations.length}); start its program once with this DITEN`,
  );
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
