import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import type { z } from 'zod';
import { configurationError } from '#runtime/process/program-error.ts';

/**
 * Reads one TOML file against its schema, whose defaults are filled in; the result is frozen.
 *
 * Errors (exit 78): `config-unreadable`, `config-syntax` (with the line), `config-invalid` (with
 * the key's path).
 */
export function loadConfig<T>(file: string, schema: z.ZodType<T>): Readonly<T> {
  const parsed = schema.safeParse(parseToml(file, read(file)));
  if (!parsed.success) {
    throw configurationError('config-invalid', `${file}: ${firstProblem(parsed.error)}`);
  }
  return Object.freeze(parsed.data);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw configurationError(
      'config-unreadable',
      `${file}: cannot read this configuration file (${(cause as Error).message}); ` +
        'give an existing file with --config',
      cause,
    );
  }
}

function parseToml(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const reason = cause.message.split('\n')[0]?.replace(/^Invalid TOML document: /, '');
    throw configurationError(
      'config-syntax',
      `${file}:${cause.line}:${cause.column}: not valid TOML: ${reason}`,
      cause,
    );
  }
}

function firstProblem(error: z.ZodError): string {
  const issue = error.issues[0]!;
  const path = keyPath(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const key = keyPath([...issue.path, issue.keys[0]!]);
    return `unknown key ${key}; remove it, or check its spelling`;
  }
  const missing = issue.code === 'invalid_type' && issue.input === undefined;
  if (missing) return `missing key ${path}: expected ${issue.expected}`;
  return `${path === '' ? 'the file' : path}: ${issue.message}`;
}

function keyPath(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}
