import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { encodeTensors } from '../codec/tensor.ts';
import { gradientName, nextName, portNames } from './artefact-names.ts';
import { compileTraining, type TrainingGraphs } from './compile-training.ts';
import type { TrainingOptions } from './differentiate.ts';
import {
  batchFeeds,
  feedsOf,
  floatsOf,
  initialState,
  randomMinibatches,
  trainByEpoch,
  trainBySteps,
} from './minibatch.fixture.ts';
import { probedShapes } from './probed-shapes.fixture.ts';

/** Of goldens/models: all that has inner Scans, convolutions, and normalisation. */
const names = ['mlp', 'cnn', 'residual', 'block', 'lstm', 'lstm-two-ways', 'gru-two-ways', 'rnn'];

async function compiled(name: string, options: Partial<TrainingOptions>): Promise<TrainingGraphs> {
  const file = new URL(`./goldens/models/${name}.onnx`, import.meta.url);
  const model = new Uint8Array(readFileSync(file));
  const shapes = await probedShapes(model);
  const graphs = compileTraining(model, {
    loss: 'mse',
    optimiser: { kind: 'adam' },
    shapes,
    ...options,
  });
  assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
  return graphs.value;
}

describe('a model exported by PyTorch', () => {
  for (const name of names) {
    it(`trains to the same bits by epoch and by step: ${name}`, async () => {
      const graphs = await compiled(name, {});
      const batches = randomMinibatches(graphs);
      for (const graphOptimisation of ['off', 'all'] as const) {
        const epoch = await trainByEpoch(graphs, batches, { graphOptimisation });
        const steps = await trainBySteps(graphs, batches, { graphOptimisation });
        assert.deepEqual(epoch.losses, steps.losses);
        assert.deepEqual(encodeTensors(epoch.state), encodeTensors(steps.state));
        assert.notDeepEqual(encodeTensors(epoch.state), encodeTensors(initialState(graphs)));
      }
    });

    it(`does not see the rows that fill up a batch: ${name}`, async () => {
      const graphs = await compiled(name, { optimiser: { kind: 'sgd' } });
      const batches = { ...randomMinibatches(graphs), rates: [0.1] };
      const padded = await trainBySteps(graphs, { ...batches, order: [5, 2, -1, -1] });
      const short = await trainBySteps(graphs, { ...batches, order: [5, 2], batch: 2 });
      padded.state.forEach(({ name: parameter, data }, index) => {
        data.forEach((value, i) => {
          assert.ok(Math.abs(value - short.state[index]!.data[i]!) < 1e-5, parameter);
        });
      });
    });

    it(`has the gradient of each example clipped: ${name}`, async () => {
      const normMax = 0.2;
      const graphs = await compiled(name, {
        optimiser: { kind: 'sgd' },
        exampleClipping: { normMax },
      });
      const { parameters } = graphs.manifest;
      const { data } = randomMinibatches(graphs);
      const rows = [3, 1, 4];
      await using gradients = await nodeOnnxRuntime.load(graphs.gradients);
      const sum = parameters.map((parameter) => new Float64Array(parameter.data.length));
      for (const row of rows) {
        const fed = { ...feedsOf(parameters), ...batchFeeds(data, [row]) };
        const outputs = await gradients.run(fed);
        const own = parameters.map((parameter) => floatsOf(outputs[gradientName(parameter.name)]));
        const norm = Math.hypot(...own.flatMap((values) => [...values]));
        const share = 1 / Math.max(1, norm / normMax) / rows.length;
        own.forEach((values, index) => {
          values.forEach((value, i) => {
            sum[index]![i]! += share * value;
          });
        });
      }
      await using step = await nodeOnnxRuntime.load(graphs.step);
      const outputs = await step.run({
        ...feedsOf(parameters),
        ...batchFeeds(data, [...rows, -1]),
        [portNames.rate]: { shape: [], data: Float32Array.of(1) },
      });
      parameters.forEach((parameter, index) => {
        const next = floatsOf(outputs[nextName(parameter.name)]);
        parameter.data.forEach((value, i) => {
          assert.ok(Math.abs(value - next[i]! - sum[index]![i]!) < 1e-5, parameter.name);
        });
      });
      assert.ok(sum.some((values) => values.some((value) => Math.abs(value) > 1e-3)));
    });
  }
});
