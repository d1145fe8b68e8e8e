import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileTraining } from './compile-training.ts';
import { createMlpModel, type MlpOptions } from './mlp-model.ts';

const options: MlpOptions = { inputs: 30, hidden: [40, 20], outputs: 2, seed: 1 };

describe('a new multilayer perceptron', () => {
  it('has the same bytes for the same options and others for another seed', () => {
    assert.deepEqual(createMlpModel(options), createMlpModel(options));
    assert.notDeepEqual(createMlpModel(options), createMlpModel({ ...options, seed: 2 }));
  });

  for (const [activation, bounds] of [
    ['relu', [6 / 30, 6 / 40, 6 / 22]],
    ['tanh', [6 / 70, 6 / 60, 6 / 22]],
  ] as const) {
    it(`trains as it is, its weights spread as published for ${activation}`, () => {
      const graphs = compileTraining(createMlpModel({ ...options, activation }), {
        loss: 'mse',
        optimiser: { kind: 'sgd' },
      });
      assert.ok(graphs.ok);
      const { parameters } = graphs.value.manifest;
      assert.deepEqual(
        parameters.map(({ shape }) => shape),
        [[30, 40], [40], [40, 20], [20], [20, 2], [2]],
      );
      bounds.forEach((square, layer) => {
        const bound = Math.sqrt(square);
        const largest = Math.max(...parameters[2 * layer]!.data.map(Math.abs));
        assert.ok(largest <= bound && largest > 0.8 * bound, `layer ${layer + 1}: ${largest}`);
        assert.ok(parameters[2 * layer + 1]!.data.every((bias) => bias === 0));
      });
    });
  }
});
