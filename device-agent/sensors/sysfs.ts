import { readdirSync, readFileSync } from 'node:fs';
import { configurationError } from '#runtime/process/program-error.ts';

/** The text of one attribute, without the line end. Errors: the system's (ENOENT, EIO, ...). */
export function readAttribute(path: string): string {
  return readFileSync(path, 'utf8').trim();
}

/** As {@link readAttribute}; `undefined` where there is no such attribute or it cannot be read. */
export function tryReadAttribute(path: string): string | undefined {
  try {
    return readAttribute(path);
  } catch {
    return undefined;
  }
}

/** A number out of one attribute; throws where it holds none. */
export function readNumber(path: string): number {
  const text = readAttribute(path);
  const value = Number(text);
  if (text === '' || !Number.isFinite(value)) throw new Error(`${path} holds "${text}"`);
  return value;
}

/** Names in a folder that match, in the order of the numbers in them; none where it is missing. */
export function listEntries(folder: string, pattern: RegExp): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => pattern.test(name))
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** A kernel's name as part of a property id: `VDD_CPU GPU` becomes `vdd-cpu-gpu`. */
export function toIdPart(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
}

/** What is looked for by the name the kernel gives it. */
export interface Selection<T> {
  /** For messages: `hwmon chip`. */
  readonly noun: string;
  readonly folder: string;
  readonly found: readonly T[];
  /** All that was found where not given. */
  readonly wanted: readonly string[] | undefined;
}

/** The wanted ones; a wanted one that is not there is an error (exit 78, `sensor-not-found`). */
export function selectByName<T extends { readonly name: string }>(selection: Selection<T>): T[] {
  const { noun, folder, found, wanted } = selection;
  if (wanted === undefined) return [...found];
  const names = new Set(found.map(({ name }) => name));
  const absent = wanted.find((name) => !names.has(name));
  if (absent === undefined) return found.filter(({ name }) => wanted.includes(name));
  throw configurationError(
    'sensor-not-found',
    `sensors: no ${noun} ${absent} in ${folder} (found: ${[...names].join(', ') || 'none'}); ` +
      'load its driver, or correct the name',
  );
}
