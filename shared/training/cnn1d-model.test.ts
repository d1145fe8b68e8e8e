import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { type Cnn1dOptions, createCnn1dModel } from './cnn1d-model.ts';
import { randomValues } from './model-fixture.ts';

const options: Cnn1dOptions = { inputs: 2, hidden: [8, 8], outputs: 3, seed: 1 };
/** 1 + 2 (1 + 2), in readings. */
const SEEN = 7;
const LENGTH = 10;

/** The output for a window in which one reading of one channel is another. */
async function outputWith(changed?: number): Promise<number[]> {
  const data = randomValues(2 * LENGTH, 1);
  if (changed !== undefined) data[LENGTH + changed] = 3;
  await using session = await nodeOnnxRuntime.load(createCnn1dModel(options));
  const { y } = await session.run({ x: { shape: [1, 2, LENGTH], data } });
  assert.deepEqual(y!.shape, [1, 3]);
  return Array.from(y!.data, Number);
}

describe('a new convolutional network over time', () => {
  it('has the same bytes for the same options and others for another seed', () => {
    assert.deepEqual(createCnn1dModel(options), createCnn1dModel(options));
    assert.notDeepEqual(createCnn1dModel(options), createCnn1dModel({ ...options, seed: 2 }));
  });

  it('sees the latest readings, each layer twice as far back, and none before them', async () => {
    const usual = await outputWith();
    for (let reading = 0; reading < LENGTH; reading++) {
      const isSeen = reading >= LENGTH - SEEN;
      assert.equal(`${await outputWith(reading)}` !== `${usual}`, isSeen, `reading ${reading}`);
    }
  });

  it('takes windows of the length asked for alone', async () => {
    await using session = await nodeOnnxRuntime.load(createCnn1dModel({ ...options, window: 5 }));
    const run = (window: number) =>
      session.run({ x: { shape: [1, 2, window], data: new Float32Array(2 * window) } });
    await run(5);
    await assert.rejects(run(6));
  });
});
