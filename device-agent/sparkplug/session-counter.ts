import { type DatabaseSchema, openDatabase } from '#runtime/database/database.ts';

/** Keeps the number of the newest CONNECT, Sparkplug's `bdSeq`, over restarts. */
export interface SessionCounter extends Disposable {
  /** 0 to 255; `undefined` before the first. */
  readonly bdSeq: number | undefined;
  /** Once this returns, the number survives kill -9 and power loss. */
  save(bdSeq: number): void;
}

const schema: DatabaseSchema = {
  name: 'Sparkplug session counter',
  migrations: [
    `CREATE TABLE session (
       only INTEGER PRIMARY KEY CHECK (only = 1),
       bd_seq INTEGER NOT NULL CHECK (bd_seq BETWEEN 0 AND 255)
     ) STRICT;`,
  ],
};

/** Errors: those of `openDatabase`. */
export function openSessionCounter(file: string): SessionCounter {
  const database = openDatabase(file, schema);
  const select = database.prepare<[], { bd_seq: number }>('SELECT bd_seq FROM session');
  const replace = database.prepare<[number]>(
    'INSERT OR REPLACE INTO session (only, bd_seq) VALUES (1, ?)',
  );
  return {
    get bdSeq() {
      return select.get()?.bd_seq;
    },
    save(bdSeq) {
      replace.run(bdSeq);
    },
    [Symbol.dispose]() {
      database.close();
    },
  };
}
