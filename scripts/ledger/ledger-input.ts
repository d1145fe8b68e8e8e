import { existsSync } from 'node:fs';
import { LedgerFile } from '#edge-node/ledger/store/ledger-file.ts';
import { exitCode, ProgramError } from '#runtime/process/program-error.ts';

/**
 * Opens the file that a command was given, beside the node that may be writing it.
 *
 * Errors: `file-unreadable` and what says that the file is no ledger (exit 2); `database-corrupt`
 * and `ledger-damaged` (exit 1).
 */
export function openLedgerFile(file: string): LedgerFile {
  if (!existsSync(file)) {
    throw wrongUsage('file-unreadable', `there is no file ${file}; give a node's ledger.sqlite`);
  }
  try {
    return new LedgerFile(file);
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    const isDamaged = error.code === 'database-corrupt' || error.code === 'ledger-damaged';
    const exit = isDamaged ? exitCode.failed : exitCode.usage;
    throw new ProgramError(error.code, error.message, { exit, cause: error });
  }
}

export function wrongUsage(code: string, message: string): ProgramError {
  return new ProgramError(code, message, { exit: exitCode.usage });
}
