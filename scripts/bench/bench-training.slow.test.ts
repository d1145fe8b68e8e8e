import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { compileTask } from '#device-agent/training/training-task.ts';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { runDiten, useFolder } from '../model/diten.fixture.ts';
import { benchModels, createBenchModel } from './bench-models.ts';

const place = useFolder();

describe('diten bench training', () => {
  it('compares the ways of training, and goes on where there is no PyTorch', async () => {
    const choice = ['--models', 'mlp-16-16-4', '--rounds', '1', '--python', 'no-such-python'];
    const args = ['bench', 'training', ...choice, '--json', 'bench.json'];
    const { code, out, complaint } = await runDiten(args, place.folder);
    assert.deepEqual([code, complaint], [0, '']);
    assert.match(out, /pytorch takes no part: .*ENOENT/);
    const { results } = JSON.parse(readFileSync(place.path('bench.json'), 'utf8'));
    assert.deepEqual(
      results.map(({ batch }: { batch: number }) => batch),
      [1, 16, 64],
    );
    for (const { parameters, ways, epochSpeedup } of results) {
      assert.equal(parameters, 16 * 16 + 16 + 16 * 4 + 4);
      assert.ok(ways.step.microsecondsPerStep > 0 && ways.epoch.memoryBytes > 0);
      assert.ok(epochSpeedup.step > 0);
    }
  });
});

describe('the models of the bench', () => {
  const sizes: Readonly<Record<string, number>> = {
    'mlp-16-16-4': 340,
    'mlp-784-200-10': 159_010,
    'lstm-64x32': 4 * 64 * (8 + 64 + 2) + 65,
    'cnn-54k': 54_314,
    'cnn-1.7M': 1_663_370,
  };
  for (const model of benchModels) {
    it(`train, with as many parameters as they are known for: ${model.name}`, async () => {
      const { loss } = model;
      const spec = { model: createBenchModel(model), loss, optimiser: { kind: 'sgd' } } as const;
      const compiled = await compileTask(nodeOnnxRuntime, spec);
      assert.ok(compiled.ok);
      const { parameters } = compiled.value.manifest;
      const count = parameters.reduce((sum, { data }) => sum + data.length, 0);
      assert.equal(count, sizes[model.name]);
    });
  }
});
