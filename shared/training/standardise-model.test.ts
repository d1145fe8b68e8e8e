import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { dataType, decodeModel } from './model/onnx-proto.ts';
import { shapeSize } from './model/onnx-tensor.ts';
import { buildModel, type FixtureNode, port } from './model-fixture.ts';
import {
  isStandardised,
  type Standardisation,
  scaleForTraining,
  standardiseModel,
} from './standardise-model.ts';

const type = dataType.float32;

/** A model that gives back what it is given, in these dimensions. */
function mirror(...dimensions: readonly (number | null)[]): Uint8Array {
  return modelOf([['Identity', ['x'], 'y']], dimensions, dimensions);
}

function modelOf(
  nodes: readonly FixtureNode[],
  input: readonly (number | null)[],
  output: readonly (number | null)[],
  opset = 21,
): Uint8Array {
  return buildModel({
    opset,
    nodes,
    initialisers: [],
    inputs: [port('x', [null, ...input], type)],
    outputs: [port('y', [null, ...output], type)],
  });
}

function standardised(model: Uint8Array, standardisation: Standardisation): Uint8Array {
  const made = standardiseModel(model, standardisation);
  assert.ok(made.ok);
  return made.value;
}

async function run(model: Uint8Array, shape: readonly number[], values: readonly number[]) {
  assert.equal(shapeSize(shape), values.length);
  await using session = await nodeOnnxRuntime.load(model);
  const results = await session.run({ x: { shape, data: Float32Array.from(values) } });
  const { shape: resultShape, data } = results[session.outputNames[0]!]!;
  return { names: session.outputNames, shape: resultShape, data: Array.from(data, Number) };
}

describe('a standardised model', () => {
  const values = { kind: 'values', mean: [1, 10], deviation: [2, 5] } as const;
  const changes = { kind: 'changes', deviation: [2, 5] } as const;
  // Two features of one window: 3, 5, 9 and 20, 10, 15.
  const rows = [3, 20, 5, 10, 9, 15];
  const channels = [3, 5, 9, 20, 10, 15];

  it('sees readings in deviations from the mean, in any layout', async () => {
    const seen = [1, 2, 2, 0, 4, 1];
    const inRows = { layout: 'rows', input: values } as const;
    assert.deepEqual((await run(standardised(mirror(3, 2), inRows), [1, 3, 2], rows)).data, seen);
    const inChannels = { layout: 'channels', input: values } as const;
    const transposed = await run(standardised(mirror(2, 3), inChannels), [1, 2, 3], channels);
    assert.deepEqual(transposed.data, [1, 2, 4, 2, 0, 1]);
    const flat = { layout: 'flat', input: values } as const;
    assert.deepEqual((await run(standardised(mirror(6), flat), [1, 6], rows)).data, seen);
  });

  it('sees the changes from reading to reading, none for the first, cut at five', async () => {
    const made = standardised(mirror(null, 2), { layout: 'rows', input: changes });
    assert.deepEqual((await run(made, [1, 3, 2], rows)).data, [0, 0, 1, -2, 2, 1]);
    const wild = await run(made, [1, 2, 2], [0, 0, 100, -100]);
    assert.deepEqual(wild.data, [0, 0, 5, -5]);
  });

  it('gives values in the units of the target', async () => {
    const output = { mean: [100, 200], deviation: [10, 20] };
    const made = standardised(mirror(1, 2), { layout: 'rows', input: values, output });
    const { data, names, shape } = await run(made, [2, 1, 2], [1, 10, 3, 15]);
    assert.deepEqual(data, [100, 200, 110, 220]);
    assert.deepEqual([names, shape], [['y'], [2, 1, 2]]);
  });

  it('adds the latest reading of the features that it forecasts', async () => {
    const output = { mean: [0], deviation: [10], latest: [1] };
    const sum: FixtureNode[] = [
      ['Flatten', ['x'], 'f'],
      ['ReduceL1', ['f'], 'y', { axes: { ints: [1] } }],
    ];
    const model = modelOf(sum, [3, 2], [1], 17);
    const made = standardised(model, { layout: 'rows', input: changes, output });
    // The changes are 1, -2, 2, 1, and the last reading of feature 1 is 15.
    const { data } = await run(made, [1, 3, 2], rows);
    assert.deepEqual(data, [15 + 10 * 6]);
  });

  it('is known for one', () => {
    const model = mirror(1, 2);
    const made = standardised(model, { layout: 'rows', input: values });
    assert.deepEqual([model, made].map(isKnown), [false, true]);
  });
});

describe('a model as it is trained', () => {
  it('gives its output in deviations, and takes a window of one length', async () => {
    const view = scaleForTraining(mirror(null, 2), {
      scale: [2, 4, 8, 16],
      inputShape: [null, 2, 2],
    });
    assert.ok(view.ok);
    const { data, shape } = await run(view.value, [1, 2, 2], [2, 4, 8, 16]);
    assert.deepEqual(
      [data, shape],
      [
        [1, 1, 1, 1],
        [1, 2, 2],
      ],
    );
    await assert.rejects(run(view.value, [1, 3, 2], [1, 2, 3, 4, 5, 6]));
  });
});

function isKnown(bytes: Uint8Array): boolean {
  const model = decodeModel(bytes);
  assert.ok(model.ok);
  return isStandardised(model.value);
}
