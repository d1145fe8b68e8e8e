/** Stops the program where a thing that cannot happen has happened; `sentence` says what. */
export function assert(condition: unknown, sentence: string): asserts condition {
  if (!condition) throw new Error(`Assertion failed: ${sentence}`);
}

/** The end of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new Error(`Assertion failed: unreachable case ${JSON.stringify(value)}`);
}
