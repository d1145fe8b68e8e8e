/** One rule taken out of a file of the core, or of the simulated shell around it. */
export interface Mutant {
  readonly name: string;
  /** Its path from the root. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** Mutants of one file, each as name, text to find, text in its place. */
export function mutantsOf(
  file: string,
  mutants: readonly (readonly [name: string, find: string, replace: string])[],
): Mutant[] {
  return mutants.map(([name, find, replace]) => ({ name, file, find, replace }));
}
