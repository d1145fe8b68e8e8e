export interface TemperatureLimitOptions {
  /** The temperature now; `undefined` where it cannot be read. */
  readonly readCelsius: () => number | undefined;
  readonly celsiusMax: number;
  /** How far it must cool down below the limit before training goes on; 5 unless given. */
  readonly celsiusBack?: number;
}

/**
 * Whether training may go on: until it is hotter than the limit, and again when it has cooled
 * down. Where the temperature cannot be read, the last answer stands.
 */
export function createTemperatureLimit(options: TemperatureLimitOptions): () => boolean {
  const { readCelsius, celsiusMax, celsiusBack = 5 } = options;
  let isCool = true;
  return () => {
    const celsius = readCelsius() ?? Number.NaN;
    if (celsius > celsiusMax) isCool = false;
    if (celsius <= celsiusMax - celsiusBack) isCool = true;
    return isCool;
  };
}
