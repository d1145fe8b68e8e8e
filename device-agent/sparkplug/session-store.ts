import { type DatabaseSchema, openDatabase } from '#runtime/database/database.ts';

/** What the Sparkplug session keeps over restarts; what a method returned for is durable. */
export interface SessionStore extends Disposable {
  /** The number of the newest CONNECT, 0 to 255; `undefined` before the first. */
  readonly bdSeq: number | undefined;
  saveBdSeq(bdSeq: number): void;
  /**
   * The sequence of the outbox behind which readings are still to be shown; `undefined` while all
   * are shown as they come. 0 in a new file.
   */
  readonly unshownAfter: number | undefined;
  saveUnshownAfter(sequence: number | undefined): void;
}

const schema: DatabaseSchema = {
  name: 'Sparkplug session',
  migrations: [
    `CREATE TABLE session (
       only INTEGER PRIMARY KEY CHECK (only = 1),
       bd_seq INTEGER NOT NULL CHECK (bd_seq BETWEEN 0 AND 255)
     ) STRICT;`,
    `CREATE TABLE history (
       only INTEGER PRIMARY KEY CHECK (only = 1),
       unshown_after INTEGER CHECK (unshown_after >= 0)
     ) STRICT;
     INSERT INTO history VALUES (1, 0);`,
  ],
};

/** Errors: those of `openDatabase`. */
export function openSessionStore(file: string): SessionStore {
  const database = openDatabase(file, schema);
  const select = database.prepare<[], { bd_seq: number }>('SELECT bd_seq FROM session');
  const replace = database.prepare<[number]>(
    'INSERT OR REPLACE INTO session (only, bd_seq) VALUES (1, ?)',
  );
  const history = database.prepare<[], { unshown_after: number | null }>(
    'SELECT unshown_after FROM history',
  );
  const saveHistory = database.prepare<[number | null]>('UPDATE history SET unshown_after = ?');
  return {
    get bdSeq() {
      return select.get()?.bd_seq;
    },
    saveBdSeq(bdSeq) {
      replace.run(bdSeq);
    },
    get unshownAfter() {
      return history.get()?.unshown_after ?? undefined;
    },
    saveUnshownAfter(sequence) {
      saveHistory.run(sequence ?? null);
    },
    [Symbol.dispose]() {
      database.close();
    },
  };
}
