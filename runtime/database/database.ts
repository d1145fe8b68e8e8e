import { existsSync, statSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { configurationError, ProgramError } from '#runtime/process/program-error.ts';

export type Database = Sqlite.Database;

export interface DatabaseSchema {
  /** What the file is, for error messages: "twin store". */
  readonly name: string;
  /** Migration N brings a file from version N to N + 1; only ever appended to. */
  readonly migrations: readonly string[];
}

/**
 * Opens a SQLite file in write-ahead-log mode with `synchronous=FULL`: what a transaction has
 * committed survives kill -9 and power loss. Brings it to the schema's newest version.
 *
 * Errors (exit 78; the file is left as it is): `database-corrupt`, `database-newer`,
 * `database-unreadable`.
 */
export function openDatabase(file: string, schema: DatabaseSchema): Database {
  const hadContent = existsSync(file) && statSync(file).size > 0;
  let database: Database | undefined;
  try {
    database = new Sqlite(file, { timeout: 5000 });
    if (hadContent) checkIntegrity(database, file, schema.name);
    refuseNewer(database, file, schema);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    migrate(database, schema);
    return database;
  } catch (cause) {
    database?.close();
    throw toProgramError(cause, file, schema.name);
  }
}

/** Opens an existing file to read it beside its writer; errors as {@link openDatabase}. */
export function openDatabaseReadOnly(file: string, schema: DatabaseSchema): Database {
  let database: Database | undefined;
  try {
    database = new Sqlite(file, { readonly: true, fileMustExist: true, timeout: 5000 });
    refuseNewer(database, file, schema);
    return database;
  } catch (cause) {
    database?.close();
    throw toProgramError(cause, file, schema.name);
  }
}

/** Whether an error of a database is that there is no room to write to, or no way to. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Sqlite.SqliteError && /^SQLITE_(FULL|IOERR)/.test(error.code);
}

function checkIntegrity(database: Database, file: string, name: string): void {
  const verdict = database.pragma('quick_check(1)', { simple: true });
  if (verdict !== 'ok') throw corrupt(file, name, verdict);
}

function refuseNewer(database: Database, file: string, schema: DatabaseSchema): void {
  const version = userVersion(database);
  const newest = schema.migrations.length;
  if (version <= newest) return;
  throw configurationError(
    'database-newer',
    `${file}: this ${schema.name} was written by a newer DITEN (format ${version}, this one ` +
      `reads up to ${newest}); update DITEN or use another data folder`,
  );
}

function migrate(database: Database, schema: DatabaseSchema): void {
  for (let version = userVersion(database); version < schema.migrations.length; version++) {
    database.transaction(() => {
      database.exec(schema.migrations[version]!);
      database.pragma(`user_version = ${version + 1}`);
    })();
  }
}

function userVersion(database: Database): number {
  return database.pragma('user_version', { simple: true }) as number;
}

function corrupt(file: string, name: string, detail: unknown): Error {
  return configurationError(
    'database-corrupt',
    `${file}: this ${name} is damaged or not a SQLite file (${oneLine(detail)}); it is left as ` +
      'it is: restore a copy, or move it away to start empty',
    detail,
  );
}

function oneLine(detail: unknown): string {
  return String(detail).trim().replace(/\s+/g, ' ');
}

function toProgramError(cause: unknown, file: string, name: string): unknown {
  const sqlite = cause instanceof Sqlite.SqliteError;
  // better-sqlite3 reports a missing folder as a TypeError.
  if (!sqlite && !(cause instanceof TypeError)) return cause;
  if (sqlite && /^SQLITE_(CORRUPT|NOTADB)/.test(cause.code)) {
    return corrupt(file, name, cause.message);
  }
  if (isDiskFull(cause)) {
    return new ProgramError(
      'disk-full',
      `${file}: cannot open this ${name}, for nothing can be written there (${cause.message}); ` +
        'make room on the disk and start again',
      { cause },
    );
  }
  return configurationError(
    'database-unreadable',
    `${file}: cannot open this ${name} (${cause.message}); check that its folder exists and ` +
      'that this user may write there',
    cause,
  );
}
