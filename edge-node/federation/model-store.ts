import { type Database, type DatabaseSchema, openDatabase } from '#runtime/database/database.ts';
import { type Digest, digestOf } from '#shared/identity/digest.ts';

const schema: DatabaseSchema = {
  name: 'model store',
  migrations: [
    `CREATE TABLE models (
       id INTEGER PRIMARY KEY,
       digest TEXT NOT NULL UNIQUE,
       bytes BLOB NOT NULL
     );`,
  ],
};

/** The bytes behind the ledger's digests. Keeps the newest `keptMax`. */
export class ModelStore implements Disposable {
  readonly #database: Database;
  readonly #keptMax: number;

  constructor(file: string, keptMax: number) {
    this.#database = openDatabase(file, schema);
    this.#keptMax = keptMax;
  }

  /** Stores the bytes durably; returns their digest. */
  put(bytes: Uint8Array): Digest {
    const digest = digestOf(bytes);
    this.#database.transaction(() => {
      this.#database
        .prepare('INSERT OR IGNORE INTO models (digest, bytes) VALUES (?, ?)')
        .run(digest, bytes);
      this.#database
        .prepare('DELETE FROM models WHERE id <= (SELECT max(id) FROM models) - ?')
        .run(this.#keptMax);
    })();
    return digest;
  }

  /** The bytes of a digest; `undefined` where they are not kept, or no longer what they were. */
  get(digest: string): Uint8Array | undefined {
    const row = this.#database.prepare('SELECT bytes FROM models WHERE digest = ?').get(digest) as
      | { bytes: Buffer }
      | undefined;
    return row !== undefined && digestOf(row.bytes) === digest ? row.bytes : undefined;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
