import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { createGruModel, type GruOptions } from './gru-model.ts';
import { randomValues } from './model-fixture.ts';

const options: GruOptions = { inputs: 2, hidden: [8, 6], outputs: 3, seed: 1 };

describe('a new gated recurrent network', () => {
  it('has the same bytes for the same options and others for another seed', () => {
    assert.deepEqual(createGruModel(options), createGruModel(options));
    assert.notDeepEqual(createGruModel(options), createGruModel({ ...options, seed: 2 }));
  });

  it('reads each example by itself, from its first reading to its last', async () => {
    const steps = 4;
    const data = randomValues(2 * steps * 2, 1);
    await using session = await nodeOnnxRuntime.load(createGruModel(options));
    const run = async (values: Float32Array, count: number, window: number) => {
      const { y } = await session.run({ x: { shape: [count, window, 2], data: values } });
      assert.deepEqual(y!.shape, [count, 3]);
      return Array.from(y!.data, Number);
    };
    const both = await run(data, 2, steps);
    const second = await run(data.slice(2 * steps), 1, steps);
    assert.deepEqual(both.slice(3), second);
    const late = await run(data.slice(2 * steps + 2), 1, steps - 1);
    assert.notDeepEqual(late, second);
  });
});
