import { ProgramError } from '#runtime/process/program-error.ts';
import { seededRandom, shuffledIndices } from '#shared/basics/seeded-random.ts';
import type { Spread } from '#shared/training/standardise-model.ts';
import type { Columns } from './columns.ts';

/** What is learnt from the rows of a record. */
export interface ExampleSpec {
  readonly features: readonly string[];
  readonly targets: readonly string[];
  /** Readings that go in. */
  readonly window: number;
  /** Readings from the last one that goes in to the target. */
  readonly horizon: number;
}

/** Examples of a record: number `e` takes the rows from `e` on. */
export interface Examples {
  readonly spec: ExampleSpec;
  readonly columns: Columns;
  readonly count: number;
}

export function createExamples(columns: Columns, spec: ExampleSpec): Examples {
  const rows = columns.lines.length;
  const count = rows - spec.window - spec.horizon + 1;
  if (count >= 2) return { spec, columns, count };
  throw new ProgramError(
    'record-too-short',
    `${columns.file} has ${rows} rows for the window of ${spec.window} and the target ` +
      `${spec.horizon} after it, two examples need ${spec.window + spec.horizon + 1}; give more ` +
      'data or a smaller --window',
  );
}

interface Split {
  readonly training: Int32Array;
  readonly heldOut: Int32Array;
}

/** The later examples are held out, or random ones; at least one is on each side. */
export function splitExamples(
  { count }: Examples,
  { heldOut, split, seed }: { heldOut: number; split: 'time' | 'random'; seed: number },
): Split {
  const order =
    split === 'random'
      ? shuffledIndices(count, seededRandom(seed))
      : Int32Array.from({ length: count }, (_, example) => example);
  const training = count - Math.min(count - 1, Math.max(1, Math.round(count * heldOut)));
  return { training: order.slice(0, training), heldOut: order.slice(training) };
}

/** [examples, window, features], or with the last two swapped for `channels`. */
export function exampleInputs(
  { spec, columns }: Examples,
  examples: Int32Array,
  layout: 'rows' | 'channels' | 'flat',
): Float32Array<ArrayBuffer> {
  const { features, window } = spec;
  const size = window * features.length;
  const [perReading, perFeature] = layout === 'channels' ? [1, window] : [features.length, 1];
  const inputs = new Float32Array(examples.length * size);
  features.forEach((name, feature) => {
    const values = columns.values.get(name)!;
    examples.forEach((example, index) => {
      for (let reading = 0; reading < window; reading++) {
        const at = index * size + reading * perReading + feature * perFeature;
        inputs[at] = values[example + reading]!;
      }
    });
  });
  return inputs;
}

/** [examples, targets]: each target `after` rows past the last reading that goes in. */
export function exampleTargets(
  { spec, columns }: Examples,
  examples: Int32Array,
  after: number = spec.horizon,
): Float64Array {
  const values = spec.targets.map((name) => columns.values.get(name)!);
  const targets = new Float64Array(examples.length * values.length);
  examples.forEach((example, index) => {
    values.forEach((column, target) => {
      targets[index * values.length + target] = column[example + spec.window - 1 + after]!;
    });
  });
  return targets;
}

/** The line of the file an example's target stands on. */
export function targetLine({ spec, columns }: Examples, example: number): number {
  return columns.lines[example + spec.window - 1 + spec.horizon]!;
}

/** The spread of each feature over the last readings that go in. */
export function featureSpread({ spec, columns }: Examples, examples: Int32Array): Spread {
  // The readings before each example's last one are those of other examples.
  return joined(
    spec.features.map((name) => {
      const column = columns.values.get(name)!;
      return spreadOf(Float64Array.from(examples, (e) => column[e + spec.window - 1]!));
    }),
  );
}

/** How far each feature moves from reading to reading: the mean of the magnitudes. */
export function featureMoves({ spec, columns }: Examples, examples: Int32Array): number[] {
  return spec.features.map((name) => {
    const column = columns.values.get(name)!;
    const last = (example: number): number => example + spec.window - 1;
    return meanMagnitude(
      Float64Array.from(examples, (e) => column[last(e)]! - column[last(e) - 1]!),
    );
  });
}

/** The spread of each of `size` columns of row-major values. */
export function columnSpread(values: Float64Array, size: number): Spread {
  return joined(columnsOf(values, size).map(spreadOf));
}

/** How far each target moves from its latest reading: the mean of the magnitudes. */
export function targetMoves(examples: Examples, chosen: Int32Array): number[] {
  const start = exampleTargets(examples, chosen, 0);
  const moves = exampleTargets(examples, chosen).map((value, index) => value - start[index]!);
  return columnsOf(moves, examples.spec.targets.length).map(meanMagnitude);
}

function columnsOf(values: Float64Array, size: number): Float64Array[] {
  return Array.from({ length: size }, (_, column) =>
    values.filter((_value, index) => index % size === column),
  );
}

/** 1 in place of a deviation of 0, which would divide by nothing; so below. */
function spreadOf(values: Float64Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / values.length) || 1 };
}

function meanMagnitude(values: Float64Array): number {
  return values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length || 1;
}

function joined(spreads: readonly { mean: number; deviation: number }[]): Spread {
  return {
    mean: spreads.map(({ mean }) => mean),
    deviation: spreads.map(({ deviation }) => deviation),
  };
}
