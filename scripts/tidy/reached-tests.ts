import type { Source } from './source.ts';

/** The tests among the sources that a change of these files can reach, by what names what. */
export function reachedTests(sources: readonly Source[], changed: readonly string[]): string[] {
  const namedBy = new Map<string, string[]>();
  for (const { path, references } of sources) {
    for (const { path: other } of references) {
      if (other !== undefined) namedBy.set(other, [...(namedBy.get(other) ?? []), path]);
    }
  }
  const reached = new Set(changed);
  for (const path of reached) for (const by of namedBy.get(path) ?? []) reached.add(by);
  const known = new Set(sources.map(({ path }) => path));
  return [...reached].filter((path) => path.endsWith('.test.ts') && known.has(path)).sort();
}
