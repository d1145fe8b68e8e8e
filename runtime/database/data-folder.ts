import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { configurationError } from '#runtime/process/program-error.ts';

/** A program's own folder, held by one process at a time until disposed of or killed. */
export interface DataFolder extends Disposable {
  readonly path: string;
  file(name: string): string;
}

/**
 * Makes the folder where it is missing and takes its lock (an exclusive transaction on
 * `lock.sqlite`, which the system frees when the process dies).
 *
 * Errors (exit 78): `data-folder-in-use`, `data-folder-unwritable`.
 */
export function openDataFolder(path: string): DataFolder {
  let lock: Sqlite.Database | undefined;
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    lock = new Sqlite(join(path, 'lock.sqlite'), { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock?.close();
    const busy = cause instanceof Sqlite.SqliteError && cause.code.startsWith('SQLITE_BUSY');
    throw busy
      ? configurationError(
          'data-folder-in-use',
          `${path}: another process uses this data folder; stop it, or give each its own`,
          cause,
        )
      : configurationError(
          'data-folder-unwritable',
          `${path}: cannot use this data folder (${(cause as Error).message}); check that this ` +
            'user may write there',
          cause,
        );
  }
  const held = lock;
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.dispose]: () => held.close(),
  };
}
