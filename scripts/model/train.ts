import { openCheckpointStore } from '#device-agent/training/checkpoint-store.ts';
import { startTrainer } from '#device-agent/training/trainer.ts';
import type { TrainingOutcome } from '#device-agent/training/training-run.ts';
import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import { forInference, usesBatchStatistics } from '#shared/training/batch-statistics.ts';
import { suspectParameters } from '#shared/training/inspect-model.ts';
import type { LossName } from '#shared/training/losses.ts';
import { encodeModel } from '#shared/training/model/onnx-proto.ts';
import { readSourceGraph, type SourceGraph } from '#shared/training/model/source-graph.ts';
import type { OptimiserName } from '#shared/training/optimisers.ts';
import { replaceParameters } from '#shared/training/parameters.ts';
import { type RowCondition, readColumns } from './columns.ts';
import { createExamples, splitExamples } from './examples.ts';
import { compareOnHeldOut, printComparison } from './held-out.ts';
import { checkOutputFile, readModelFile, unwrap, writeOutputFile } from './model-file.ts';
import { type PreparedTraining, prepareTraining } from './prepare-training.ts';
import { startProgress } from './progress-bar.ts';

export interface TrainOptions {
  readonly data: string;
  readonly features: readonly string[];
  readonly target: readonly string[];
  readonly output: string;
  readonly window: number;
  readonly horizon?: number;
  readonly where?: RowCondition;
  readonly layout?: 'rows' | 'channels';
  readonly loss: LossName;
  readonly optimiser: OptimiserName;
  readonly epochs: number;
  readonly batch: number;
  readonly rate: number;
  readonly seed: number;
  readonly freeze: readonly string[];
  readonly heldOut: number;
  readonly split: 'time' | 'random';
  readonly standardise: boolean;
  readonly json?: string;
  /** File to keep the run's state in until it is through. */
  readonly checkpoint?: string;
}

const CHECKPOINT_INTERVAL_MS = 1000;

/** `diten model train`: returns the exit code. */
export async function train(file: string, options: TrainOptions): Promise<number> {
  const { features, target: targets, window } = options;
  for (const output of [options.output, options.json ?? []].flat()) checkOutputFile(output);
  const model = readModelFile(file);
  const columns = readColumns(options.data, [...features, ...targets], options.where);
  const isForecast = window > 1 || targets.some((name) => features.includes(name));
  const horizon = options.horizon ?? (isForecast ? 1 : 0);
  const examples = createExamples(columns, { features, targets, window, horizon });
  const split = splitExamples(examples, options);
  const prepared = prepareTraining(model, { file, examples, training: split.training, options });
  const given = unwrap(readSourceGraph(model), file);
  const constants = [...given.roles].flatMap(([name, role]) => (role === 'constant' ? name : []));
  const frozen = [...new Set([...options.freeze, ...constants])];
  for (const note of [...prepared.notes, ...modelNotes(model, { given, frozen, options })]) {
    console.log(note);
  }
  console.log(
    `${file}: trains on ${split.training.length} examples of ${options.data}, ` +
      `${split.heldOut.length} held out`,
  );
  const outcome = await runTraining(prepared, { file, options: { ...options, freeze: frozen } });
  const source = forInference(unwrap(readSourceGraph(prepared.standardised), file));
  const trained = replaceParameters(source, outcome.parameters);
  const comparison = await compareOnHeldOut(
    { before: encodeModel(forInference(given).model), after: trained },
    { loss: options.loss, examples, split, layout: prepared.layout, file },
  );
  writeOutputFile(options.output, trained);
  const { steps, losses } = outcome;
  const result = outcome.outcome === 'cancelled' ? `stopped after ${steps} steps` : 'trained';
  console.log(`${options.output}: ${result}, ${trained.length} bytes`);
  printComparison(comparison);
  if (options.json !== undefined) {
    const counts = { trained: split.training.length, heldOut: split.heldOut.length };
    const report = { model: file, output: options.output, options, ...counts, steps, losses };
    writeOutputFile(options.json, `${JSON.stringify({ ...report, ...comparison }, null, 2)}\n`);
  }
  return outcome.outcome === 'cancelled' ? exitCode.failed : exitCode.ok;
}

/** What of the model itself the person should know. */
function modelNotes(
  model: Uint8Array,
  { given, frozen, options }: { given: SourceGraph; frozen: string[]; options: TrainOptions },
): string[] {
  const notes = suspectParameters(model, { frozen }).map(
    (name) => `WARNING: ${name} trains, but looks like a constant: --freeze ${name} keeps it`,
  );
  if (given.nodes.some(usesBatchStatistics)) {
    notes.push(
      `batch normalisation trains by batches; ${options.output} goes by its running statistics`,
    );
  }
  return notes;
}

async function runTraining(
  { trainingModel, inputs, targets, count }: PreparedTraining,
  { file, options }: { file: string; options: TrainOptions },
): Promise<TrainingOutcome> {
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  process.once('SIGINT', abort);
  await using parts = new AsyncDisposableStack();
  const trainer = parts.use(startTrainer({ checkpointIntervalMs: CHECKPOINT_INTERVAL_MS }));
  const checkpoints =
    options.checkpoint && parts.use(openCheckpointStore(options.checkpoint)).slot('train');
  const description = unwrap(
    await trainer.defineTask({
      model: trainingModel,
      loss: options.loss,
      optimiser: { kind: options.optimiser },
      frozen: options.freeze,
    }),
    file,
  );
  const progress = startProgress(process.stderr);
  const outcome = unwrap(
    await trainer.train(
      {
        parameters: description.parameters,
        inputs,
        targets,
        count,
        batchSize: options.batch,
        epochs: options.epochs,
        learningRate: options.rate,
        seed: options.seed,
      },
      {
        signal: stop.signal,
        ...(checkpoints && { checkpoints }),
        onProgress: ({ steps, stepsTotal, loss }) =>
          progress.show(
            steps / stepsTotal,
            `step ${steps} of ${stepsTotal}, loss ${loss.toPrecision(4)}`,
          ),
      },
    ),
    file,
  );
  progress.end();
  process.removeListener('SIGINT', abort);
  if (checkpoints && outcome.outcome !== 'cancelled') checkpoints.clear();
  if (outcome.outcome !== 'diverged') return outcome;
  throw new ProgramError(
    'diverged',
    `${file}: the loss is no longer a number after ${outcome.steps} steps; give a smaller --rate`,
  );
}
