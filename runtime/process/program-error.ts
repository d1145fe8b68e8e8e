/** Exit codes of every program: see CONTRIBUTING.md, Errors. */
export const exitCode = { ok: 0, failed: 1, usage: 2, configuration: 78 } as const;

/**
 * A reason to stop the program that a person can mend. The message is one line: what is wrong,
 * where, and the mend.
 */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';
  readonly code: string;
  readonly exit: number;

  constructor(code: string, message: string, options: { exit?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.exit = options.exit ?? exitCode.failed;
  }
}

/** A {@link ProgramError} that lies in the configuration, the data folder or a port: exit 78. */
export function configurationError(code: string, message: string, cause?: unknown): ProgramError {
  return new ProgramError(code, message, { exit: exitCode.configuration, cause });
}
