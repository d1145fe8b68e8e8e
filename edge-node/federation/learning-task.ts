import { assert } from '#shared/basics/assert.ts';
import { encodeTensors, type NamedTensor } from '#shared/codec/tensor.ts';
import { forecastInputs } from '#shared/federation/forecast.ts';
import { type Digest, digestOf, digestOfPlain } from '#shared/identity/digest.ts';
import { compileTraining } from '#shared/training/compile-training.ts';
import { createMlpModel } from '#shared/training/mlp-model.ts';
import type { TaskDefinition, TaskMessage } from '#shared/wire/learning.ts';
import type { LearningConfig } from '../edge-config.ts';

/** A learning task to be given out: its definition, and the model every device starts from. */
export interface LearningTask {
  readonly message: TaskMessage;
  /** The parameters as they stand in the model. */
  readonly initial: readonly NamedTensor[];
  readonly initialBytes: Uint8Array;
  readonly initialDigest: Digest;
}

/** Makes the task that a configuration describes; the same configuration makes the same task. */
export function createLearningTask(config: LearningConfig): LearningTask {
  const { features, window, readings, optimiser, learningRate, batchSize, localEpochs } = config;
  const model = createMlpModel({
    inputs: forecastInputs({ features, window }),
    hidden: [config.hidden],
    outputs: features.length,
    seed: config.seed,
  });
  const definition: TaskDefinition = {
    v: 1,
    features,
    window,
    readings,
    loss: 'mse',
    optimiser,
    learningRate,
    batchSize,
    localEpochs,
    aggregation: 'fedavg',
    model: digestOf(model),
  };
  const compiled = compileTraining(model, { loss: 'mse', optimiser: { kind: optimiser } });
  assert(compiled.ok, 'a model made here can be trained');
  const initial = compiled.value.manifest.parameters;
  const initialBytes = encodeTensors(initial);
  return {
    message: { v: 1, task: digestOfPlain(definition), definition, model },
    initial,
    initialBytes,
    initialDigest: digestOf(initialBytes),
  };
}
