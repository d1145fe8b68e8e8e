import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMlpModel } from '#shared/training/mlp-model.ts';
import { dataType } from '#shared/training/model/onnx-proto.ts';
import { startTrainer, type Trainer } from './trainer.ts';
import { digest, model, run, series, task, value, WINDOW } from './trainer-fixture.ts';
import type { TrainingRun } from './training-run.ts';

const count = 150;
const classifier = createMlpModel({ inputs: WINDOW, hidden: [12], outputs: 3, seed: 5 });
const classes = { ...task, model: classifier, loss: 'cross-entropy' } as const;

/** Whether the next reading lies low, near the middle, or high. */
function classIds(): BigInt64Array<ArrayBuffer> {
  return BigInt64Array.from(series(count).targets, (y) => (y < -0.4 ? 0n : y < 0.4 ? 1n : 2n));
}

async function refusal(trainer: Trainer, changed: TrainingRun) {
  const refused = await trainer.train(changed);
  assert.ok(!refused.ok, 'the run should have been refused');
  assert.match(refused.error.message, /^[^\n]+$/);
  return refused.error;
}

describe('the data of a run', () => {
  it('may be class ids', async () => {
    await using trainer = startTrainer();
    const { parameters, target, outputSize } = value(await trainer.defineTask(classes));
    assert.deepEqual([target.type, target.shape], [dataType.int64, [null]]);
    assert.equal(outputSize, 3);
    const learning = run(parameters, { targets: classIds(), epochs: 30 });
    const trained = value(await trainer.train(learning));
    assert.ok(trained.losses.at(-1)! < trained.losses[0]! / 2, `${trained.losses}`);
    value(await trainer.useParameters(trained.parameters));
    const logits = value(await trainer.predict({ inputs: series(count).inputs, count }));
    const isRight = [...classIds()].map((id, row) => {
      const own = [...logits.subarray(row * 3, row * 3 + 3)];
      return own.indexOf(Math.max(...own)) === Number(id);
    });
    assert.ok(isRight.filter(Boolean).length > 0.8 * count);
  });

  it('are refused where a class is none of the model', async () => {
    await using trainer = startTrainer();
    const { parameters } = value(await trainer.defineTask(classes));
    for (const [row, id] of [
      [17, 3n],
      [149, -1n],
    ] as const) {
      const targets = classIds().with(row, id);
      const error = await refusal(trainer, run(parameters, { targets }));
      assert.equal(error.code, 'class-out-of-range');
      assert.equal('row' in error && error.row, row);
      const found = new RegExp(`class ${id} in example ${row}, .* the classes 0 to 2`);
      assert.match(error.message, found);
    }
  });

  it('are refused where their type is not what the loss takes', async () => {
    await using trainer = startTrainer();
    for (const [spec, targets, pattern] of [
      [
        classes,
        series(count).targets,
        /targets is a Float32Array; .* BigInt64Array of shape \[150\]/,
      ],
      [task, classIds(), /targets is a BigInt64Array; give a Float32Array of shape \[150,1\]/],
    ] as const) {
      const { parameters } = value(await trainer.defineTask(spec));
      const error = await refusal(trainer, run(parameters, { targets }));
      assert.equal(error.code, 'training-data-invalid');
      assert.match(error.message, pattern);
    }
  });

  it('are refused where they do not fit or hold what is no number', async () => {
    await using trainer = startTrainer();
    const { parameters } = value(await trainer.defineTask(task));
    const targets = series(count).targets.with(31, Number.NaN);
    const inputs = series(count).inputs.with(7 * WINDOW + 2, Number.POSITIVE_INFINITY);
    const nothing = new Float32Array(0);
    for (const [changes, pattern] of [
      [{ count: 149 }, /inputs has 900 values, 149 examples of 6 need 894; .* \[149,6\]/],
      [{ targets: new Float32Array(3) }, /targets has 3 values, .*; give shape \[150,1\]/],
      [{ targets }, /targets holds NaN in example 31; leave that example out/],
      [{ inputs }, /inputs holds Infinity in example 7/],
      [{ count: 0, inputs: nothing, targets: nothing }, /count is 0; .* 1 or more/],
      [{ epochs: 0.5 }, /epochs is 0\.5/],
      [{ batchSize: 0 }, /batchSize is 0/],
      [{ learningRate: Number.NaN }, /learning rate is NaN/],
    ] as const) {
      const error = await refusal(trainer, run(parameters, changes));
      assert.equal(error.code, 'training-data-invalid');
      assert.match(error.message, pattern);
    }
  });

  it('are one minibatch where a larger one is asked for, and the outcome says so', async () => {
    await using trainer = startTrainer();
    const { parameters } = value(await trainer.defineTask(task));
    const trained = value(await trainer.train(run(parameters, { batchSize: 9999 })));
    assert.deepEqual([trained.batchSize, trained.steps], [count, 6]);
  });
});

describe('terms on the gradient', () => {
  it('keep the parameters near where the run began', async () => {
    await using trainer = startTrainer();
    const spec = { model, loss: 'mse', optimiser: { kind: 'sgd' }, proximal: true } as const;
    const { parameters } = value(await trainer.defineTask(spec));
    const start = parameters.flatMap(({ data }) => [...data]);
    const distances: number[] = [];
    for (const proximalStrength of [0, 1, 10]) {
      const trained = value(await trainer.train(run(parameters, { proximalStrength })));
      const end = trained.parameters.flatMap(({ data }) => [...data]);
      distances.push(Math.hypot(...end.map((each, i) => each - start[i]!)));
    }
    assert.ok(distances[0]! > 1.1 * distances[1]! && distances[1]! > 2 * distances[2]!);
  });

  it('correct each gradient', async () => {
    await using trainer = startTrainer();
    const spec = { model, loss: 'mse', optimiser: { kind: 'sgd' }, correction: true } as const;
    const { parameters } = value(await trainer.defineTask(spec));
    const correctBy = (each: number) =>
      parameters.map((tensor) => ({ ...tensor, data: tensor.data.map(() => each) }));
    const one = { epochs: 1, batchSize: count, learningRate: 1 };
    const runBy = async (each: number) =>
      value(await trainer.train(run(parameters, { ...one, correction: correctBy(each) })));
    const [plain, corrected] = [await runBy(0), await runBy(0.5)];
    plain.parameters.forEach(({ data }, index) => {
      data.forEach((before, i) => {
        assert.ok(Math.abs(before - 0.5 - corrected.parameters[index]!.data[i]!) < 1e-6);
      });
    });
  });

  it('must be what the task was defined with', async () => {
    await using trainer = startTrainer();
    const { parameters } = value(await trainer.defineTask(task));
    for (const [changes, pattern] of [
      [{ proximalStrength: 1 }, /the task takes no proximalStrength/],
      [{ correction: parameters }, /the task takes no correction/],
    ] as const) {
      assert.match((await refusal(trainer, run(parameters, changes))).message, pattern);
    }
    value(await trainer.defineTask({ ...task, proximal: true, correction: true }));
    const both = { proximalStrength: 1, correction: parameters };
    for (const [changes, pattern] of [
      [{ proximalStrength: undefined }, /proximalStrength is missing/],
      [{ correction: undefined }, /correction is missing/],
      [{ proximalStrength: Number.NaN }, /proximalStrength is NaN/],
      [{ correction: parameters.slice(1) }, /parameter layer1.weight is missing/],
    ] as const) {
      const error = await refusal(trainer, run(parameters, { ...both, ...changes }));
      assert.match(error.message, pattern);
    }
    const trained = value(await trainer.train(run(parameters, both)));
    assert.notEqual(digest(trained.parameters), digest(parameters));
  });
});
