/** One value per feature of a learning task, in the task's order. */
export type FeatureVector = readonly number[];

/** What a forecast needs of a learning task's definition. */
interface Shape {
  readonly features: readonly { readonly scale: number }[];
  /** Readings. */
  readonly window: number;
}

/** Changes beyond this many scales are cut there, so that one wild reading cannot rule a round. */
const CLIP = 3;

/**
 * Length of a forecaster's input: a window of W readings is fed as its W - 1 changes from reading
 * to reading, each in units of its feature's scale. The output is the next change, per feature.
 */
export function forecastInputs({ features, window }: Shape): number {
  return (window - 1) * features.length;
}

/** Writes the input for the window that ends at `readings[end]` into `into` at `offset`. */
export function writeWindow(
  task: Shape,
  { readings, end }: { readings: readonly FeatureVector[]; end: number },
  { into, offset }: { into: Float32Array; offset: number },
): void {
  let position = offset;
  for (let i = end - task.window + 2; i <= end; i++) {
    position = writeChange(task, { from: readings[i - 1]!, to: readings[i]! }, { into, position });
  }
}

/**
 * All windows of a record with the change that followed each: inputs [count, (W - 1) * F] and
 * targets [count, F], row-major. `count` is 0 where the record is shorter than a window and its
 * successor.
 */
export function trainingWindows(
  task: Shape,
  readings: readonly FeatureVector[],
): { inputs: Float32Array<ArrayBuffer>; targets: Float32Array<ArrayBuffer>; count: number } {
  const count = Math.max(0, readings.length - task.window);
  const width = forecastInputs(task);
  const inputs = new Float32Array(count * width);
  const targets = new Float32Array(count * task.features.length);
  let position = 0;
  for (let row = 0; row < count; row++) {
    const end = row + task.window - 1;
    writeWindow(task, { readings, end }, { into: inputs, offset: row * width });
    const change = { from: readings[end]!, to: readings[end + 1]! };
    position = writeChange(task, change, { into: targets, position });
  }
  return { inputs, targets, count };
}

/**
 * How far a forecast was off: the root mean square over the features of the difference between the
 * forecast and the actual change, in units of each feature's scale. `forecast` of zeros is
 * persistence: the next reading is as the last.
 */
export function forecastError(
  { features }: Pick<Shape, 'features'>,
  { from, to }: { from: FeatureVector; to: FeatureVector },
  forecast: ArrayLike<number>,
): number {
  let sum = 0;
  for (const [index, { scale }] of features.entries()) {
    const actual = (to[index]! - from[index]!) / scale;
    sum += (actual - forecast[index]!) ** 2;
  }
  return Math.sqrt(sum / features.length);
}

function writeChange(
  { features }: Shape,
  { from, to }: { from: FeatureVector; to: FeatureVector },
  { into, position }: { into: Float32Array; position: number },
): number {
  for (const [index, { scale }] of features.entries()) {
    const change = (to[index]! - from[index]!) / scale;
    into[position + index] = Math.max(-CLIP, Math.min(CLIP, change));
  }
  return position + features.length;
}
