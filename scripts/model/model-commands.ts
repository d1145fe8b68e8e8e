import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ArtefactName } from '#shared/training/artefacts.ts';
import type { LossName } from '#shared/training/losses.ts';
import type { OptimiserName } from '#shared/training/optimisers.ts';

// The names are written out here, so that the other commands need not load the compiler.
const losses: readonly LossName[] = ['mse', 'huber', 'cross-entropy', 'binary-cross-entropy'];
const optimisers: readonly OptimiserName[] = ['sgd', 'momentum', 'nesterov', 'adam', 'adamw'];
const artefacts: readonly ArtefactName[] = ['step', 'epoch', 'gradients', 'evaluate', 'predict'];

/** Adds `diten model ...` to the program; each action loads what it needs when it runs. */
export function addModelCommands(program: Command): void {
  const model = program.command('model').description('inspect, make and train ONNX models');
  addInspect(model);
  addNew(model);
  addTrain(model);
  addGradients(model);
  addGraph(model);
}

function addInspect(model: Command): void {
  model
    .command('inspect <model>')
    .description('what an ONNX model takes, gives and is made of, and what of it can train')
    .option('--json', 'print JSON', false)
    .action(async (file: string, options: { json: boolean }) => {
      const { inspect } = await import('./inspect.ts');
      await inspect(file, options);
    });
}

function addNew(model: Command): void {
  model
    .command('new <kind>')
    .description('make an ONNX model ready to train: mlp, cnn1d or gru')
    .requiredOption('--in <n>', 'features of one reading', wholeNumber)
    .requiredOption('--out <n>', 'values of the output', wholeNumber)
    .option('--window <n>', 'readings of the input (default: 1 for mlp, else any)', wholeNumber)
    .option('--hidden <n,...>', 'widths of the hidden layers', wholeNumbers)
    .addOption(new Option('--activation <name>', 'of an mlp').choices(['relu', 'tanh']))
    .option('--seed <n>', 'of the initial weights', wholeNumberOrZero, 1)
    .option('-o, --output <file>', 'where to write it (default: KIND.onnx)')
    .action(async (kind: string, options) => {
      const { newModel } = await import('./new-model.ts');
      newModel(kind, options);
    });
}

function addTrain(model: Command): void {
  model
    .command('train <model>')
    .description('train an ONNX model on a CSV file')
    .requiredOption('--data <file>', 'CSV file with a header')
    .requiredOption('--features <name,...>', 'columns that go in', names)
    .requiredOption('--target <name,...>', 'columns that come out', names)
    .requiredOption('-o, --output <file>', 'where to write the trained model')
    .option('--window <n>', 'readings in one input', wholeNumber, 1)
    .option(
      '--horizon <n>',
      'readings from the last one of the input to the target (default: 1 ' +
        'with a window or where the target is a feature, else 0)',
      wholeNumberOrZero,
    )
    .option('--where <name=value>', 'use only the rows where a column has this value', condition)
    .addOption(
      new Option('--layout <name>', 'of a window in the input').choices(['rows', 'channels']),
    )
    .addOption(new Option('--loss <name>', 'loss').choices(losses).default('huber'))
    .addOption(new Option('--optimiser <name>', 'optimiser').choices(optimisers).default('adam'))
    .option('--epochs <n>', 'passes over the data', wholeNumber, 20)
    .option('--batch <n>', 'examples in one step', wholeNumber, 32)
    .option('--rate <x>', 'learning rate', positive, 0.001)
    .option('--seed <n>', 'of the order of the examples', wholeNumberOrZero, 1)
    .option('--freeze <name,...>', 'parameters that keep their values', names, [])
    .option('--held-out <share>', 'share of the examples kept for the test', share, 0.2)
    .addOption(
      new Option('--split <how>', 'the last examples are held out, or random ones')
        .choices(['time', 'random'])
        .default('time'),
    )
    .option('--no-standardise', 'leave the model as it is: it expects the values as they stand')
    .option('--checkpoint <file>', 'keep the state there; the same run goes on from it when killed')
    .option('--json <file>', 'write the report there')
    .action(async (file: string, options) => {
      const { train } = await import('./train.ts');
      process.exitCode = await train(file, options);
    });
}

function addGradients(model: Command): void {
  model
    .command('gradients <model>')
    .description('the loss and its gradient by each parameter, for one batch of test data')
    .requiredOption('--data <dir>', 'folder with input_K.pb and target_0.pb (TensorProto)')
    .addOption(new Option('--loss <name>', 'loss').choices(losses).makeOptionMandatory())
    .requiredOption('--out <dir>', 'folder for loss.pb and gradient_NAME.pb')
    .option('--freeze <name,...>', 'parameters whose gradients are not wanted', names, [])
    .action(async (file: string, options) => {
      const { gradients } = await import('./gradients.ts');
      await gradients(file, options);
    });
}

function addGraph(model: Command): void {
  model
    .command('graph <model>')
    .description('a training graph of the model, for any ONNX runtime')
    .addOption(new Option('--artefact <name>', 'which').choices(artefacts).makeOptionMandatory())
    .requiredOption('-o, --output <file>', 'where to write it')
    .addOption(new Option('--loss <name>', 'loss').choices(losses).default('mse'))
    .addOption(new Option('--optimiser <name>', 'optimiser').choices(optimisers).default('sgd'))
    .option('--freeze <name,...>', 'parameters that keep their values', names, [])
    .action(async (file: string, options) => {
      const { graph } = await import('./graph.ts');
      await graph(file, options);
    });
}

function wholeNumber(text: string): number {
  const value = wholeNumberOrZero(text);
  if (value === 0) throw new InvalidArgumentError('give a whole number of 1 or more');
  return value;
}

function wholeNumberOrZero(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value < 2 ** 31) return value;
  throw new InvalidArgumentError('give a whole number');
}

function wholeNumbers(text: string): number[] {
  return text.split(',').map(wholeNumber);
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('give a number above 0');
}

function share(text: string): number {
  const value = Number(text);
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError('give a number between 0 and 1');
}

function names(text: string): string[] {
  const all = text.split(',').map((name) => name.trim());
  if (all.every((name) => name !== '') && new Set(all).size === all.length) return all;
  throw new InvalidArgumentError('give different names with commas between them');
}

function condition(text: string): { column: string; value: string } {
  const at = text.indexOf('=');
  if (at > 0) return { column: text.slice(0, at), value: text.slice(at + 1) };
  throw new InvalidArgumentError('give column=value');
}
