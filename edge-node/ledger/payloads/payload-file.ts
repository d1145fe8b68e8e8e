import { createHash } from 'node:crypto';
import { type Database, type DatabaseSchema, openDatabase } from '#runtime/database/database.ts';
import type { Digest } from '#shared/identity/digest.ts';

/** What a payload is kept and served in; the last piece may be shorter. */
export const CHUNK_SIZE_BYTES = 262_144;

/**
 * The tables of the payload store. A payload whose `source` is set is still being fetched, from
 * that peer. `pins` may name what is not here yet.
 */
const schema: DatabaseSchema = {
  name: 'payload store',
  migrations: [
    `CREATE TABLE payloads (
       id INTEGER PRIMARY KEY AUTOINCREMENT,
       digest TEXT NOT NULL UNIQUE,
       size_bytes INTEGER NOT NULL,
       stored_bytes INTEGER NOT NULL,
       source TEXT
     ) STRICT;
     CREATE TABLE chunks (
       payload INTEGER NOT NULL REFERENCES payloads (id) ON DELETE CASCADE,
       number INTEGER NOT NULL,
       digest TEXT NOT NULL,
       bytes BLOB NOT NULL,
       UNIQUE (payload, number)
     ) STRICT;
     CREATE TABLE pins (digest TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;`,
  ],
};

interface PayloadRow {
  readonly id: number;
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly source: string | null;
}

/** A payload of which the first `storedBytes` are here, from `source`. */
export interface PartialPayload {
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly source: string;
}

/** Errors as {@link openDatabase}. */
export function openPayloadDatabase(file: string): Database {
  return openDatabase(file, schema);
}

/** What all payloads together may take, and which are not evicted for a new one. */
interface Room {
  readonly totalBytesMax: number;
  readonly kept: Iterable<Digest>;
}

/** The rows of `payloads.sqlite`; each change is durable when its call returns. */
export class PayloadFile implements Disposable {
  readonly #database: Database;
  readonly #statements: ReturnType<typeof prepare>;

  /** Closes the database when it is disposed of. */
  constructor(database: Database) {
    this.#database = database;
    this.#statements = prepare(database);
  }

  /** Whether the whole payload is here. */
  has(digest: Digest): boolean {
    const row = this.#row(digest);
    return row !== undefined && row.source === null;
  }

  partial(digest: Digest): PartialPayload | undefined {
    const row = this.#row(digest);
    return row === undefined || row.source === null ? undefined : { ...row, source: row.source };
  }

  /** Puts a whole payload in, where there is room for it. */
  insert(digest: Digest, bytes: Uint8Array, room: Room): boolean {
    return this.#database.transaction(() => {
      this.remove(digest);
      if (!this.#makeRoom(bytes.length, room)) return false;
      const { lastInsertRowid } = this.#statements.insertPayload.run({
        ...{ digest, sizeBytes: bytes.length, storedBytes: bytes.length, source: null },
      });
      for (let offset = 0; offset < bytes.length; offset += CHUNK_SIZE_BYTES) {
        const chunk = bytes.subarray(offset, offset + CHUNK_SIZE_BYTES);
        this.#insertChunk(Number(lastInsertRowid), offset / CHUNK_SIZE_BYTES, chunk);
      }
      return true;
    })();
  }

  /** Makes a place for what is to be fetched from `source`, where there is room for it. */
  begin(
    digest: Digest,
    { sizeBytes, source }: Pick<PartialPayload, 'sizeBytes' | 'source'>,
    room: Room,
  ): boolean {
    return this.#database.transaction(() => {
      this.remove(digest);
      if (!this.#makeRoom(sizeBytes, room)) return false;
      this.#statements.insertPayload.run({ digest, sizeBytes, storedBytes: 0, source });
      return true;
    })();
  }

  /**
   * Adds the next piece of what is being fetched; each but the last is of the full size. With the
   * last the payload is here, or, where it is not what was asked for, gone.
   */
  append(digest: Digest, chunk: Uint8Array): 'more' | 'done' | 'wrong' {
    return this.#database.transaction(() => {
      const { id, storedBytes, sizeBytes } = this.#row(digest)!;
      this.#insertChunk(id, storedBytes / CHUNK_SIZE_BYTES, chunk);
      if (storedBytes + chunk.length < sizeBytes) {
        this.#statements.grow.run({ id, bytes: chunk.length });
        return 'more';
      }
      const hash = createHash('sha256');
      for (const bytes of this.#statements.chunks.iterate(id)) hash.update(bytes as Uint8Array);
      if (hash.digest('hex') === digest) {
        this.#statements.finish.run(id);
        return 'done';
      }
      this.remove(digest);
      return 'wrong';
    })();
  }

  /** Names another source for what is being fetched. */
  mix(digest: Digest, source: string): void {
    this.#statements.mix.run({ digest, source });
  }

  /** The bytes of a whole payload, as they are; undefined where it is not here. */
  read(digest: Digest): Uint8Array | undefined {
    const row = this.#row(digest);
    if (row === undefined || row.source !== null) return undefined;
    return Buffer.concat(this.#statements.chunks.all(row.id) as Uint8Array[]);
  }

  /**
   * A piece of a whole payload from `offset` on, up to the end of its chunk and `length`; `bytes`
   * is undefined where the file no longer holds what was put in.
   */
  slice(
    digest: Digest,
    offset: number,
    length: number,
  ): { sizeBytes: number; bytes: Uint8Array | undefined } | undefined {
    const row = this.#row(digest);
    if (row === undefined || row.source !== null) return undefined;
    const { id, sizeBytes } = row;
    if (offset >= sizeBytes) return { sizeBytes, bytes: new Uint8Array(0) };
    const number = Math.floor(offset / CHUNK_SIZE_BYTES);
    const chunk = this.#statements.chunk.get(id, number) as
      | { digest: string; bytes: Uint8Array }
      | undefined;
    if (chunk === undefined || sha256(chunk.bytes) !== chunk.digest) {
      return { sizeBytes, bytes: undefined };
    }
    const start = offset - number * CHUNK_SIZE_BYTES;
    return { sizeBytes, bytes: chunk.bytes.subarray(start, start + length) };
  }

  remove(digest: Digest): void {
    this.#statements.remove.run(digest);
  }

  pin(digest: Digest): void {
    this.#statements.pin.run(digest);
  }

  unpin(digest: Digest): void {
    this.#statements.unpin.run(digest);
  }

  /** Bytes of all payloads, those being fetched with their whole size. */
  totalBytes(): number {
    return this.#statements.totalBytes.get() as number;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  /** Evicts the oldest that are neither pinned nor kept, until `bytes` more fit; else nothing. */
  #makeRoom(bytes: number, { totalBytesMax, kept }: Room): boolean {
    let excess = this.totalBytes() + bytes - totalBytesMax;
    if (excess <= 0) return true;
    const spared = new Set<string>(kept);
    const evicted: string[] = [];
    for (const row of this.#statements.unpinned.iterate()) {
      const { digest, sizeBytes } = row as { digest: string; sizeBytes: number };
      if (spared.has(digest)) continue;
      evicted.push(digest);
      excess -= sizeBytes;
      if (excess <= 0) break;
    }
    if (excess > 0) return false;
    for (const digest of evicted) this.#statements.remove.run(digest);
    return true;
  }

  #insertChunk(payload: number, number: number, bytes: Uint8Array): void {
    this.#statements.insertChunk.run({ payload, number, digest: sha256(bytes), bytes });
  }

  #row(digest: Digest): PayloadRow | undefined {
    return this.#statements.payload.get(digest) as PayloadRow | undefined;
  }
}

/** SHA-256 in lower-case hex, by OpenSSL. */
export function sha256(bytes: Uint8Array): Digest {
  return createHash('sha256').update(bytes).digest('hex') as Digest;
}

function prepare(database: Database) {
  return {
    payload: database.prepare(
      `SELECT id, size_bytes AS sizeBytes, stored_bytes AS storedBytes, source
       FROM payloads WHERE digest = ?`,
    ),
    insertPayload: database.prepare(
      `INSERT INTO payloads (digest, size_bytes, stored_bytes, source)
       VALUES (:digest, :sizeBytes, :storedBytes, :source)`,
    ),
    grow: database.prepare(
      'UPDATE payloads SET stored_bytes = stored_bytes + :bytes WHERE id = :id',
    ),
    mix: database.prepare('UPDATE payloads SET source = :source WHERE digest = :digest'),
    finish: database.prepare(
      'UPDATE payloads SET source = NULL, stored_bytes = size_bytes WHERE id = ?',
    ),
    remove: database.prepare('DELETE FROM payloads WHERE digest = ?'),
    insertChunk: database.prepare('INSERT INTO chunks VALUES (:payload, :number, :digest, :bytes)'),
    chunk: database.prepare('SELECT digest, bytes FROM chunks WHERE payload = ? AND number = ?'),
    chunks: database.prepare('SELECT bytes FROM chunks WHERE payload = ? ORDER BY number').pluck(),
    totalBytes: database.prepare('SELECT coalesce(sum(size_bytes), 0) FROM payloads').pluck(),
    unpinned: database.prepare(
      `SELECT digest, size_bytes AS sizeBytes FROM payloads
       WHERE digest NOT IN (SELECT digest FROM pins) ORDER BY id`,
    ),
    pin: database.prepare('INSERT OR IGNORE INTO pins VALUES (?)'),
    unpin: database.prepare('DELETE FROM pins WHERE digest = ?'),
  };
}
