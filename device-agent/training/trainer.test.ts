import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { disableOnnxTelemetry } from '#runtime/onnx/telemetry.ts';
import { dataType } from '#shared/training/model/onnx-proto.ts';
import { buildModel, port, randomTensor } from '#shared/training/model-fixture.ts';
import { startTrainer } from './trainer.ts';
import { digest, model, run, series, task, value, WINDOW } from './trainer-fixture.ts';
import type { TrainerWorkerOptions } from './trainer-protocol.ts';
import { TrainerStopped } from './trainer-thread.ts';
import type { TrainingProgress } from './training-run.ts';

function matMulModel(): Uint8Array {
  const type = dataType.float32;
  return buildModel({
    nodes: [
      ['MatMul', ['x', 'w1'], 'm'],
      ['Add', ['m', 'b1'], 'h'],
      ['Tanh', ['h'], 'a'],
      ['MatMul', ['a', 'w2'], 'y'],
    ],
    initialisers: [
      randomTensor('w1', [WINDOW, 8], { seed: 1, type }),
      randomTensor('b1', [8], { seed: 2, type }),
      randomTensor('w2', [8, 1], { seed: 3, type }),
    ],
    inputs: [port('x', [null, WINDOW], type)],
    outputs: [port('y', [null, 1], type)],
  });
}

describe('the trainer', () => {
  it('lowers the loss on a small series, and its predictions follow the parameters', async () => {
    await using trainer = startTrainer();
    const { parameters, inputSize, outputSize } = value(await trainer.defineTask(task));
    assert.deepEqual([inputSize, outputSize], [WINDOW, 1]);
    const reports: TrainingProgress[] = [];
    const trained = value(
      await trainer.train(run(parameters), { onProgress: (progress) => reports.push(progress) }),
    );
    assert.equal(trained.outcome, 'completed');
    assert.equal(trained.steps, 60);
    assert.equal(reports.at(-1)?.steps, 60);
    assert.equal(trained.losses.length, 6);
    assert.ok(trained.losses[5]! < trained.losses[0]! / 4, `${trained.losses}`);

    const { inputs, targets, count } = series(150);
    const error = async () => {
      const predicted = value(await trainer.predict({ inputs, count }));
      return predicted.reduce((sum, y, i) => sum + (y - targets[i]!) ** 2, 0) / count;
    };
    const before = await error();
    value(await trainer.useParameters(trained.parameters));
    assert.ok((await error()) < before / 4);
  });

  it('predicts what the model itself does', async () => {
    await using trainer = startTrainer();
    await using session = await nodeOnnxRuntime.load(model);
    const { inputs, count } = series(9);
    value(await trainer.defineTask(task));
    const predicted = value(await trainer.predict({ inputs, count }));
    const { y } = await session.run({ x: { shape: [count, WINDOW], data: inputs } });
    // Not the same bits: the runtime lays out weights that are constants in another way.
    const expected = y?.data as Float32Array;
    assert.equal(predicted.length, expected.length);
    predicted.forEach((p, i) => {
      assert.ok(Math.abs(p - expected[i]!) < 1e-5);
    });
  });

  it('gives the same bits for the same run, whatever the chunks', async () => {
    const digests: string[] = [];
    for (const [chunkSteps, seed] of [
      [100, 1],
      [7, 1],
      [7, 2],
    ] as const) {
      await using trainer = startTrainer({ chunkSteps });
      const { parameters } = value(await trainer.defineTask(task));
      digests.push(digest(value(await trainer.train(run(parameters, { seed }))).parameters));
    }
    assert.equal(digests[0], digests[1]);
    assert.notEqual(digests[1], digests[2]);
  });

  it('reports the mean loss over the examples, also where the last batch is short', async () => {
    await using trainer = startTrainer();
    const { parameters } = value(await trainer.defineTask({ ...task, optimiser: { kind: 'sgd' } }));
    const still = { learningRate: 0, epochs: 2 };
    const whole = value(await trainer.train(run(parameters, { ...still, batchSize: 150 })));
    const uneven = value(await trainer.train(run(parameters, { ...still, batchSize: 149 })));
    assert.equal(uneven.steps, 4);
    for (const loss of uneven.losses) assert.ok(Math.abs(loss / whole.losses[0]! - 1) < 1e-5);
  });

  it('forgets the optimiser between runs', async () => {
    await using trainer = startTrainer();
    const { parameters } = value(await trainer.defineTask(task));
    const first = value(await trainer.train(run(parameters)));
    const second = value(await trainer.train(run(parameters)));
    assert.equal(digest(first.parameters), digest(second.parameters));
  });

  it('ends a diverging run with the parameters from before', async () => {
    await using trainer = startTrainer({ chunkSteps: 5 });
    const { parameters } = value(await trainer.defineTask({ ...task, optimiser: { kind: 'sgd' } }));
    const reports: TrainingProgress[] = [];
    const trained = value(
      await trainer.train(run(parameters, { learningRate: 1e12 }), {
        onProgress: (progress) => reports.push(progress),
      }),
    );
    assert.equal(trained.outcome, 'diverged');
    assert.equal(trained.steps, reports.at(-1)?.steps ?? 0);
    assert.ok(trained.parameters.every(({ data }) => data.every(Number.isFinite)));
    if (trained.steps === 0) assert.equal(digest(trained.parameters), digest(parameters));
  });

  it('stops between chunks when cancelled, and predicts in between', async () => {
    await using trainer = startTrainer({ chunkSteps: 5 });
    const { parameters } = value(await trainer.defineTask(task));
    const cancel = new AbortController();
    let predicted: Promise<unknown> | undefined;
    const training = trainer.train(run(parameters, { epochs: 1_000_000 }), {
      signal: cancel.signal,
      onProgress() {
        predicted ??= trainer.predict(series(1)).then(() => cancel.abort());
      },
    });
    const trained = value(await training);
    await predicted;
    assert.equal(trained.outcome, 'cancelled');
    assert.ok(trained.steps > 0);
    assert.equal(trained.losses.length, Math.floor(trained.steps / 10));
    assert.notEqual(digest(trained.parameters), digest(parameters));
    const late = value(await trainer.train(run(parameters), { signal: cancel.signal }));
    assert.equal(late.outcome, 'cancelled');
    assert.equal(late.steps, 0);
  });

  it('learns shapes: a model of MatMul and Add trains too', async () => {
    await using trainer = startTrainer();
    const { parameters } = value(await trainer.defineTask({ ...task, model: matMulModel() }));
    const { losses } = value(await trainer.train(run(parameters)));
    assert.ok(losses.at(-1)! < losses[0]! / 2, `${losses}`);
  });

  it('refuses what it cannot train on, and stays up', async () => {
    await using trainer = startTrainer();
    const undefinedTask = await trainer.predict(series(1));
    assert.ok(!undefinedTask.ok && undefinedTask.error.code === 'task-undefined');
    const bad = await trainer.defineTask({ ...task, model: model.subarray(0, 99) });
    assert.ok(!bad.ok && bad.error.code === 'not-onnx');
    const { parameters } = value(await trainer.defineTask(task));
    const foreign = await trainer.train(run(parameters.slice(1)));
    assert.ok(!foreign.ok && foreign.error.code === 'parameters-mismatch');
    const unused = await trainer.useParameters([]);
    assert.ok(!unused.ok && unused.error.code === 'parameters-mismatch');
    const lopsided = await trainer.predict({ inputs: new Float32Array(7), count: 1 });
    assert.ok(!lopsided.ok && lopsided.error.code === 'training-data-invalid');
  });
});

describe('a training worker that dies', () => {
  /** The real worker, which an example count of 13 makes throw where nothing catches it. */
  const fragileWorker = (workerData: TrainerWorkerOptions) => {
    const file = new URL('./trainer-worker.ts', import.meta.url).href;
    const code = `
      const { parentPort } = require('node:worker_threads');
      import('${file}').then(() => parentPort.on('message', (request) => {
        if (request.asks?.count === 13) throw new Error('struck by lightning');
      }));`;
    disableOnnxTelemetry();
    return new Worker(code, { eval: true, workerData });
  };

  it('fails the calls it has not answered; the next one starts another', async () => {
    let starts = 0;
    const createWorker = (options: TrainerWorkerOptions) => {
      starts++;
      return fragileWorker(options);
    };
    await using trainer = startTrainer({ createWorker });
    const { parameters } = value(await trainer.defineTask(task));
    const trained = value(await trainer.train(run(parameters)));
    value(await trainer.useParameters(trained.parameters));
    const expected = value(await trainer.predict(series(3)));

    const calls = await Promise.allSettled([
      trainer.predict(series(13)),
      trainer.train(run(parameters)),
    ]);
    for (const call of calls) {
      assert.equal(call.status, 'rejected');
      assert.ok(call.reason instanceof TrainerStopped);
      assert.match(call.reason.message, /worker stopped: struck by lightning/);
    }
    assert.deepEqual(value(await trainer.predict(series(3))), expected);
    assert.equal(starts, 2);
  });

  it('is not started again once the trainer is disposed of', async () => {
    const trainer = startTrainer({ chunkSteps: 5 });
    const { parameters } = value(await trainer.defineTask(task));
    const training = trainer.train(run(parameters, { epochs: 1_000_000 }));
    await new Promise((resolve) => setImmediate(resolve));
    await trainer[Symbol.asyncDispose]();
    assert.equal(value(await training).outcome, 'cancelled');
    await assert.rejects(trainer.predict(series(1)), TrainerStopped);
    await trainer[Symbol.asyncDispose]();
  });
});
