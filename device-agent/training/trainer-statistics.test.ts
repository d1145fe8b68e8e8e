import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dataType } from '#shared/training/model/onnx-proto.ts';
import { floatTensor } from '#shared/training/model/onnx-tensor.ts';
import { buildModel, port, randomTensor } from '#shared/training/model-fixture.ts';
import type { CheckpointSlot } from './checkpoint-store.ts';
import { startTrainer } from './trainer.ts';
import { digest, run, series, value, WINDOW } from './trainer-fixture.ts';
import type { TrainingCheckpoint } from './training-run.ts';
import type { TrainingTaskSpec } from './training-task.ts';

const type = dataType.float32;
const running = ['mean', 'variance'];
const constant = (name: string, each: number) =>
  floatTensor(name, [8], { type, data: new Float32Array(8).fill(each) });

const model = buildModel({
  nodes: [
    ['MatMul', ['x', 'w1'], 'h'],
    ['BatchNormalization', ['h', 'scale', 'shift', ...running], 'n', { training_mode: { int: 1 } }],
    ['Tanh', ['n'], 'a'],
    ['MatMul', ['a', 'w2'], 'y'],
  ],
  initialisers: [
    randomTensor('w1', [WINDOW, 8], { seed: 1, type }),
    constant('scale', 1),
    constant('shift', 0),
    constant('mean', 0),
    constant('variance', 1),
    randomTensor('w2', [8, 1], { seed: 3, type }),
  ],
  inputs: [port('x', [null, WINDOW], type)],
  outputs: [port('y', [null, 1], type)],
});
const task: TrainingTaskSpec = { model, loss: 'mse', optimiser: { kind: 'adam' } };

describe('running statistics in the trainer', () => {
  it('are among what it gives and takes, and predictions go by them', async () => {
    await using trainer = startTrainer();
    const { parameters } = value(await trainer.defineTask(task));
    assert.deepEqual(parameters.map(({ name }) => name).slice(-2), running);
    const trained = value(await trainer.train(run(parameters, { epochs: 30 })));
    assert.deepEqual(
      trained.parameters.map(({ name }) => name),
      parameters.map(({ name }) => name),
    );
    const { inputs, targets, count } = series(150);
    const errorOf = async () => {
      const predicted = value(await trainer.predict({ inputs, count }));
      return predicted.reduce((sum, y, i) => sum + (y - targets[i]!) ** 2, 0) / count;
    };
    const before = await errorOf();
    value(await trainer.useParameters(trained.parameters));
    assert.ok((await errorOf()) < before / 4);
    // One example alone is predicted as it is among others.
    const alone = value(await trainer.predict({ inputs: inputs.slice(0, WINDOW), count: 1 }));
    const among = value(await trainer.predict({ inputs, count }));
    assert.ok(Math.abs(alone[0]! - among[0]!) < 1e-5);
    // Other statistics give another prediction: they are not constants of the graph.
    const shifted = trained.parameters.map((tensor) =>
      tensor.name === 'mean' ? { ...tensor, data: tensor.data.map((v) => v + 1) } : tensor,
    );
    value(await trainer.useParameters(shifted));
    const other = value(await trainer.predict({ inputs: inputs.slice(0, WINDOW), count: 1 }));
    assert.ok(Math.abs(other[0]! - alone[0]!) > 1e-3);
  });

  it('are in the checkpoint: the same run goes on to the same bits', async () => {
    await using trainer = startTrainer({ chunkSteps: 7, checkpointIntervalMs: 0 });
    const { parameters } = value(await trainer.defineTask(task));
    const saved: TrainingCheckpoint[] = [];
    const slot = (last?: TrainingCheckpoint): CheckpointSlot => ({
      load: () => last,
      save: (checkpoint) => saved.push(checkpoint),
      clear: () => undefined,
    });
    const whole = value(await trainer.train(run(parameters), { checkpoints: slot() }));
    const names = saved[3]!.state.map(({ name }) => name);
    assert.ok(running.every((name) => names.includes(name)));
    const resumed = value(await trainer.train(run(parameters), { checkpoints: slot(saved[3]) }));
    assert.equal(digest(resumed.parameters), digest(whole.parameters));
    const moved = parameters.map((tensor) =>
      tensor.name === 'mean' ? { ...tensor, data: tensor.data.map(() => 0.5) } : tensor,
    );
    const before = saved.length;
    value(await trainer.train(run(moved), { checkpoints: slot(saved[3]) }));
    assert.equal(saved[before]!.steps, 7, 'a run from other statistics is another run');
  });
});
