import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { describe, it } from 'node:test';
import { createMlpModel } from '#shared/training/mlp-model.ts';
import { dataType } from '#shared/training/model/onnx-proto.ts';
import { buildModel, port, randomTensor } from '#shared/training/model-fixture.ts';
import { startTrainer } from './trainer.ts';
import { digest, run, series, task, value, WINDOW } from './trainer-fixture.ts';
import { planTraining } from './training-plan.ts';
import type { TrainingTaskSpec } from './training-task.ts';

const type = dataType.float32;
const seed = Uint8Array.from({ length: 32 }, (_, i) => 7 * i);
const noise = { multiplier: 1.3, seed };
const normMax = 0.4;
const exampleClipping = { normMax, noise: true };

const line = buildModel({
  nodes: [['Gemm', ['x', 'w', 'b'], 'y']],
  initialisers: [
    randomTensor('w', [WINDOW, 1], { seed: 1, type }),
    randomTensor('b', [1], { seed: 2, type }),
  ],
  inputs: [port('x', [null, WINDOW], type)],
  outputs: [port('y', [null, 1], type)],
});

/** Standard normal values of a step, from the description of the noise and not from its code. */
function normals(step: number, count: number): number[] {
  const counter = new Uint8Array(16);
  counter[7] = step;
  const stream = createCipheriv('aes-256-ctr', seed, counter).update(new Uint8Array(16 * count));
  const word = (index: number) => BigInt(stream.readUInt32LE(4 * index));
  const uniform = (index: number) =>
    Number(((word(2 * index) >> 5n) << 26n) | (word(2 * index + 1) >> 6n)) / 2 ** 53;
  return Array.from({ length: count }, (_, i) => {
    const first = i - (i % 2);
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(first)));
    const angle = 2 * Math.PI * uniform(first + 1);
    return radius * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
  });
}

/** Algorithm 1 of arXiv 1607.00133 for the line, in double precision. */
function descend(start: readonly number[], plan: { count: number; batchSize: number }): number[] {
  const { inputs, targets, count } = series(plan.count);
  const schedule = { count, batchSize: plan.batchSize, epochs: 1, seed: 1 };
  const plannedSteps = planTraining(schedule);
  let values = [...start];
  for (let step = 0; step < plannedSteps.stepsTotal; step++) {
    const rows = [...(plannedSteps.takeOrder(1).data as BigInt64Array)]
      .filter((row) => row >= 0n)
      .map(Number);
    const drawn = normals(step, values.length);
    const sum = values.map((_, i) => noise.multiplier * normMax * drawn[i]!);
    for (const row of rows) {
      const x = [...inputs.subarray(row * WINDOW, (row + 1) * WINDOW), 1];
      const error = x.reduce((y, each, i) => y + each * values[i]!, 0) - targets[row]!;
      const gradient = x.map((each) => 2 * error * each);
      const scale = 1 / Math.max(1, Math.hypot(...gradient) / normMax);
      gradient.forEach((each, i) => {
        sum[i]! += scale * each;
      });
    }
    values = values.map((each, i) => each - (0.01 * sum[i]!) / rows.length);
  }
  return values;
}

describe('noise on clipped gradients', () => {
  it('is that of differentially private descent, on a short batch too', async () => {
    await using trainer = startTrainer({ chunkSteps: 4 });
    const spec = { model: line, loss: 'mse', optimiser: { kind: 'sgd' }, exampleClipping } as const;
    const { parameters } = value(await trainer.defineTask(spec));
    const changes = { noise, epochs: 1, batchSize: 16 };
    const trained = value(await trainer.train(run(parameters, changes)));
    assert.equal(trained.steps, 10);
    const start = parameters.flatMap(({ data }) => [...data]);
    const expected = descend(start, { count: 150, batchSize: 16 });
    trained.parameters
      .flatMap(({ data }) => [...data])
      .forEach((found, i) => {
        assert.ok(Math.abs(found - expected[i]!) < 1e-5, `${i}: ${found}, not ${expected[i]}`);
      });
  });

  it('gives the same bits for the same seed, whatever the chunks, and for no other', async () => {
    const noisy: TrainingTaskSpec = { ...task, exampleClipping };
    const digests: string[] = [];
    for (const [chunkSteps, changes] of [
      [100, {}],
      [7, {}],
      [7, { noise: { ...noise, seed: seed.with(0, 1) } }],
      [7, { noise: { ...noise, multiplier: 1 } }],
    ] as const) {
      await using trainer = startTrainer({ chunkSteps });
      const { parameters } = value(await trainer.defineTask(noisy));
      digests.push(
        digest(value(await trainer.train(run(parameters, { noise, ...changes }))).parameters),
      );
    }
    assert.equal(digests[0], digests[1]);
    assert.equal(new Set(digests).size, 3);
  });

  it('does not grow with the chunk', async () => {
    const wide = createMlpModel({ inputs: WINDOW, hidden: [60_000], outputs: 1, seed: 1 });
    await using trainer = startTrainer({ chunkSteps: 100 });
    const spec: TrainingTaskSpec = { ...task, model: wide, exampleClipping };
    const { parameters } = value(await trainer.defineTask(spec));
    const steps: number[] = [];
    const changes = { noise, ...series(10), epochs: 5, batchSize: 5 };
    value(
      await trainer.train(run(parameters, changes), {
        onProgress: (progress) => steps.push(progress.steps),
      }),
    );
    // 480,001 values: four steps of noise are 7.7 MB.
    assert.deepEqual(steps, [4, 8, 10]);
  });

  it('must be what the task was defined with', async () => {
    await using trainer = startTrainer();
    const { parameters } = value(await trainer.defineTask(task));
    const refusal = async (given: Parameters<typeof run>[1]) => {
      const refused = await trainer.train(run(parameters, given));
      assert.ok(!refused.ok);
      assert.equal(refused.error.code, 'training-data-invalid');
      return refused.error.message;
    };
    assert.match(await refusal({ noise }), /the task takes no noise/);
    value(await trainer.defineTask({ ...task, exampleClipping }));
    assert.match(await refusal({}), /noise is missing/);
    assert.match(await refusal({ noise: { ...noise, multiplier: -1 } }), /multiplier is -1; .* 0 /);
    assert.match(
      await refusal({ noise: { ...noise, seed: seed.slice(1) } }),
      /seed has 31 bytes; give 32/,
    );
  });
});
