import { ProgramError } from '#runtime/process/program-error.ts';
import { dataType, decodeModel } from '#shared/training/model/onnx-proto.ts';
import { shapeSize } from '#shared/training/model/onnx-tensor.ts';
import type { Port } from '#shared/training/model/shape.ts';
import { readSourceGraph } from '#shared/training/model/source-graph.ts';
import {
  isStandardised,
  type Standardisation,
  scaleForTraining,
  standardiseModel,
} from '#shared/training/standardise-model.ts';
import {
  columnSpread,
  type Examples,
  exampleInputs,
  exampleTargets,
  featureMoves,
  featureSpread,
  targetLine,
  targetMoves,
} from './examples.ts';
import { inputLayout } from './input-layout.ts';
import { unwrap } from './model-file.ts';
import { describePort } from './port-text.ts';
import type { TrainOptions } from './train.ts';

/** A model and its data, ready for the trainer. */
export interface PreparedTraining {
  /** The model that gets the trained parameters: it takes and gives values as they stand. */
  readonly standardised: Uint8Array;
  /** The model as it is trained. */
  readonly trainingModel: Uint8Array;
  readonly layout: Layout;
  readonly inputs: Float32Array<ArrayBuffer>;
  readonly targets: Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;
  readonly count: number;
  /** What the person should know. */
  readonly notes: readonly string[];
}

export interface Layout {
  readonly kind: Standardisation['layout'];
  /** Of one example. */
  readonly dimensions: readonly number[];
}

interface Preparation {
  readonly file: string;
  readonly examples: Examples;
  readonly training: Int32Array;
  readonly options: TrainOptions;
}

/** Fits data and model together; what does not fit ends the program. */
export function prepareTraining(model: Uint8Array, preparation: Preparation): PreparedTraining {
  const { file, examples, training, options } = preparation;
  const { input, output } = singlePorts(model, file);
  const { spec } = examples;
  const fitting = inputLayout(
    input,
    { window: spec.window, features: spec.features.length },
    options.layout,
  );
  const { layout: kind, dimensions } = unwrap(fitting, file);
  checkTargets(preparation, output);

  const notes: string[] = [];
  const targets = exampleTargets(examples, training);
  const isPlain = !options.standardise || isStandardised(unwrap(decodeModel(model), file));
  let standardised = model;
  let scale = isRegression(options)
    ? columnSpread(targets, spec.targets.length).deviation
    : undefined;
  if (!isPlain) {
    const standardisation = chooseStandardisation(preparation, kind);
    standardised = unwrap(standardiseModel(model, standardisation), file);
    scale = standardisation.output?.deviation;
    notes.push(standardisationNote(standardisation));
  }
  if (options.batch > training.length) {
    notes.push(
      `a batch of ${options.batch} is more than all examples: it takes ${training.length}`,
    );
  }
  if (options.loss === 'cross-entropy') notes.push(...unseenClasses(examples, targets));
  const view = { inputShape: [null, ...dimensions], ...(scale && { scale }) };
  return {
    standardised,
    trainingModel: unwrap(scaleForTraining(standardised, view), file),
    layout: { kind, dimensions },
    inputs: exampleInputs(examples, training, kind),
    targets:
      options.loss === 'cross-entropy'
        ? BigInt64Array.from(targets, BigInt)
        : Float32Array.from(targets, (target, index) =>
            scale === undefined ? target : target / scale[index % scale.length]!,
          ),
    count: training.length,
    notes,
  };
}

/** A record sorted by class holds out what was never seen. */
function unseenClasses(examples: Examples, training: Float64Array): string[] {
  const seen = new Set(training);
  const all = new Set(exampleTargets(examples, everyExample(examples)));
  const unseen = [...all].filter((id) => !seen.has(id));
  if (unseen.length === 0) return [];
  return [`only held-out examples are of class ${unseen.join(', ')}; consider --split random`];
}

function everyExample({ count }: Examples): Int32Array {
  return Int32Array.from({ length: count }, (_, example) => example);
}

/** A forecast of features is made as the change from their latest readings, out of the changes. */
function chooseStandardisation(
  { examples, training, options }: Preparation,
  layout: Layout['kind'],
): Standardisation {
  const { features, targets, horizon, window } = examples.spec;
  const values = { kind: 'values', ...featureSpread(examples, training) } as const;
  if (!isRegression(options)) return { layout, input: values };
  const latest = targets.map((name) => features.indexOf(name));
  if (horizon === 0 || latest.includes(-1)) {
    const output = columnSpread(exampleTargets(examples, training), targets.length);
    return { layout, input: values, output };
  }
  const changes = { kind: 'changes', deviation: featureMoves(examples, training) } as const;
  const output = {
    mean: targets.map(() => 0),
    deviation: targetMoves(examples, training),
    latest,
  };
  return { layout, input: window > 1 ? changes : values, output };
}

function isRegression({ loss }: TrainOptions): boolean {
  return loss === 'mse' || loss === 'huber';
}

function standardisationNote({ input, output }: Standardisation): string {
  const what = input.kind === 'values' ? 'its inputs' : 'the changes in its window';
  const given = output?.latest === undefined ? 'scaled' : 'added to the latest reading';
  const target = output === undefined ? '' : ` and its output is ${given}`;
  return `${what} are standardised${target}, by nodes in the model (--no-standardise: by none)`;
}

function singlePorts(model: Uint8Array, file: string): { input: Port; output: Port } {
  const { inputs, outputs } = unwrap(readSourceGraph(model), file);
  const [input, output] = [inputs[0], outputs[0]];
  const isFit = inputs.length === 1 && input?.type === dataType.float32;
  if (isFit && output?.type === dataType.float32) return { input, output };
  throw new ProgramError(
    'input-unsupported',
    `${file}: takes ${inputs.map(describePort).join(', ')} and gives ` +
      `${outputs.map(describePort).join(', ')}; training takes a model of one float32 input and ` +
      'one float32 output',
  );
}

function checkTargets({ file, examples, options }: Preparation, output: Port): void {
  const { targets } = examples.spec;
  const sizes = output.shape.slice(1);
  const size = sizes.includes(null) ? undefined : shapeSize(sizes as number[]);
  const isClassId = options.loss === 'cross-entropy';
  if (isClassId ? targets.length !== 1 : size !== undefined && size !== targets.length) {
    throw new ProgramError(
      'target-misfit',
      `${file}: ${describePort(output)} does not fit ${targets.length} target ` +
        `column${targets.length === 1 ? '' : 's'} (${targets.join(', ')}) with the loss ` +
        `${options.loss}; change --target or --loss`,
    );
  }
  const all = everyExample(examples);
  const values = exampleTargets(examples, all);
  const refuse = (index: number, code: string, due: string): never => {
    const line = targetLine(examples, all[Math.floor(index / targets.length)]!);
    const name = targets[index % targets.length]!;
    throw new ProgramError(
      code,
      `${options.data}:${line}: column ${name} holds ${values[index]}, where ${due} is due`,
    );
  };
  values.forEach((value, index) => {
    if (isClassId && !Number.isInteger(value)) refuse(index, 'target-misfit', 'a class id');
    if (isClassId && (value < 0 || (size !== undefined && value >= size))) {
      refuse(index, 'class-out-of-range', `a class from 0 to ${(size ?? 0) - 1}`);
    }
    if (options.loss === 'binary-cross-entropy' && (value < 0 || value > 1)) {
      refuse(index, 'target-misfit', 'a probability from 0 to 1');
    }
  });
}
