import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import { correctionName, portNames } from '#shared/training/artefact-names.ts';
import type { TrainingManifest } from '#shared/training/compile-training.ts';
import { classCount } from '#shared/training/losses.ts';
import { dataType } from '#shared/training/model/onnx-proto.ts';
import { shapeSize } from '#shared/training/model/onnx-tensor.ts';
import type { Port } from '#shared/training/model/shape.ts';
import { matchParameters } from '#shared/training/parameters.ts';
import type { TrainingFailure } from '#shared/training/training-failure.ts';
import { NOISE_SEED_BYTES } from './gaussian-noise.ts';
import type { TrainingRun } from './training-run.ts';

export type RunFailure =
  | TrainingFailure
  | Failure<'training-data-invalid'>
  /** `row` is the first example at fault, counted from 0. */
  | (Failure<'class-out-of-range'> & { readonly row: number });

/**
 * Whether a run fits the task, so that nothing in it makes the runtime fail or read garbage.
 *
 * Errors: `training-data-invalid`, `class-out-of-range`, `parameters-mismatch`.
 */
export function checkRun(
  manifest: TrainingManifest,
  run: TrainingRun,
): Result<undefined, RunFailure> {
  const { count, batchSize, epochs } = run;
  for (const [name, value] of Object.entries({ count, batchSize, epochs })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      return invalid(`${name} is ${value}; give a whole number of 1 or more`);
    }
  }
  if (!Number.isFinite(run.learningRate)) {
    return invalid(`the learning rate is ${run.learningRate}; give a number`);
  }
  const inputs = checkRows('inputs', run.inputs, { port: manifest.inputs[0]!, count });
  if (!inputs.ok) return inputs;
  const targets = checkRows('targets', run.targets, { port: manifest.target, count });
  if (!targets.ok) return targets;
  const classes = checkClasses(manifest, run);
  return classes.ok ? checkTerms(manifest, run) : classes;
}

function checkRows(
  name: string,
  data: Float32Array | BigInt64Array,
  { port, count }: { port: Port; count: number },
): Result<undefined, RunFailure> {
  const row = port.shape.slice(1) as number[];
  const size = shapeSize(row);
  const isIds = port.type === dataType.int64;
  if (data instanceof BigInt64Array !== isIds) {
    return invalid(
      `${name} is a ${data.constructor.name}; give ` +
        (isIds
          ? `class ids, a BigInt64Array of shape [${[count, ...row]}]`
          : `a Float32Array of shape [${[count, ...row]}]`),
    );
  }
  if (data.length !== count * size) {
    return invalid(
      `${name} has ${data.length} values, ${count} examples of ${size} need ${count * size}; ` +
        `give shape [${[count, ...row]}]`,
    );
  }
  const bad = isIds ? -1 : (data as Float32Array).findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return ok(undefined);
  return invalid(
    `${name} holds ${data[bad]} in example ${Math.floor(bad / size)}; leave that example out`,
  );
}

/** Of a class that is none the runtime would gather what lies beside the data, or fail. */
function checkClasses(
  { loss, output }: TrainingManifest,
  { targets, count }: TrainingRun,
): Result<undefined, RunFailure> {
  const classes = classCount(loss, output);
  if (classes === undefined) return ok(undefined);
  const ids = targets as BigInt64Array;
  const bad = ids.findIndex((id) => id < 0n || id >= BigInt(classes));
  if (bad < 0) return ok(undefined);
  const row = Math.floor(bad / (ids.length / count));
  const message =
    `targets holds class ${ids[bad]} in example ${row}, the model has the classes 0 to ` +
    `${classes - 1}; correct it, or use a model with more outputs`;
  return { ok: false, error: { code: 'class-out-of-range', message, row } };
}

/** Whether what goes onto the gradients is what the task was defined with. */
function checkTerms(manifest: TrainingManifest, run: TrainingRun): Result<undefined, RunFailure> {
  const { proximalStrength, correction, noise } = run;
  const taken = new Set(manifest.artefacts.step.inputs.map(({ name }) => name));
  const terms = {
    proximalStrength: [taken.has(portNames.proximal), proximalStrength !== undefined],
    correction: [taken.has(correctionName(manifest.parameters[0]!.name)), correction !== undefined],
    noise: [manifest.exampleClipping?.noise ?? false, noise !== undefined],
  } as const;
  for (const [name, [isTaken, isGiven]] of Object.entries(terms)) {
    if (isTaken && !isGiven) return invalid(`${name} is missing; the task is defined to take it`);
    if (isGiven && !isTaken) return invalid(`the task takes no ${name}; define it so`);
  }
  if (proximalStrength !== undefined && !Number.isFinite(proximalStrength)) {
    return invalid(`proximalStrength is ${proximalStrength}; give a number`);
  }
  if (noise !== undefined && !(Number.isFinite(noise.multiplier) && noise.multiplier >= 0)) {
    return invalid(`the noise multiplier is ${noise.multiplier}; give a number of 0 or more`);
  }
  if (noise !== undefined && noise.seed.length !== NOISE_SEED_BYTES) {
    return invalid(`the noise seed has ${noise.seed.length} bytes; give ${NOISE_SEED_BYTES}`);
  }
  const matched = matchParameters(manifest.parameters, correction ?? manifest.parameters);
  return matched.ok ? ok(undefined) : matched;
}

function invalid(message: string): Result<never, RunFailure> {
  return fail('training-data-invalid', message);
}
