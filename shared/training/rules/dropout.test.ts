import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { gradientName, portNames } from '../artefact-names.ts';
import { TensorProto } from '../model/onnx-proto.ts';
import {
  buildModel,
  type FixtureNode,
  port,
  randomTensor,
  randomValues,
} from '../model-fixture.ts';
import { dropoutRules } from './dropout.ts';
import { booleans, checkRules, compileModel, floats, type RuleCase } from './rule-case.contract.ts';

const SIZE = 60;

const cases: readonly RuleCase[] = [
  { inputs: [[3, 4]] },
  { inputs: [[3, 4], floats([0.7])] },
  { inputs: [[3, 4], floats([0.7]), booleans([false], [])], title: 'told not to train' },
  {
    inputs: [[3, 4], floats([0]), booleans([true], [])],
    outputs: [[3, 4], null],
    title: 'ratio 0',
  },
].map((dropout) => ({ operator: 'Dropout', outputs: [[3, 4]], ...dropout }));

/** y = Dropout(p) + x; p is a row. */
function dropoutModel(outputs: readonly string[], ratio?: TensorProto): Uint8Array<ArrayBuffer> {
  const named = (tensor: TensorProto, name: string) => TensorProto.create({ ...tensor, name });
  const inputs = ['p', ratio ? 'ratio' : '', 'training'];
  const nodes: FixtureNode[] = [
    ['Dropout', inputs, outputs],
    ['Add', ['dropped', 'x'], 'y'],
  ];
  return buildModel({
    nodes,
    initialisers: [
      randomTensor('p', [1, SIZE], { seed: 3 }),
      ...(ratio ? [named(ratio, 'ratio')] : []),
      named(booleans([true], []), 'training'),
    ],
    inputs: [port('x', [null, SIZE])],
    outputs: [port('y', [null, SIZE])],
  });
}

describe('the rule for Dropout', () => {
  checkRules(dropoutRules, cases);

  for (const [ratio, outputs] of [
    [undefined, ['dropped']],
    [0.25, ['dropped', 'mask']],
  ] as const) {
    it(`passes what the mask passed, scaled, at a ratio of ${ratio ?? 'its default'}`, async () => {
      const tensor = ratio === undefined ? undefined : floats([ratio]);
      const graphs = await compileModel(dropoutModel(outputs, tensor));
      await using session = await nodeOnnxRuntime.load(graphs.gradients);
      const p = Float64Array.from(randomValues(SIZE, 3));
      const row = (value: number) => ({
        shape: [1, SIZE],
        data: new Float64Array(SIZE).fill(value),
      });
      const found = await session.run({
        p: { shape: [1, SIZE], data: p },
        x: row(1),
        [portNames.target]: row(0),
        [portNames.weights]: { shape: [1], data: Float64Array.of(SIZE) },
      });
      // The loss is the sum of (p mask scale + 1)^2: 1 and no gradient where the mask is 0.
      const scale = 1 / (1 - (ratio ?? 0.5));
      const gradient = Array.from(found[gradientName('p')]!.data, Number);
      const passed = gradient.filter((value) => value !== 0).length;
      assert.ok(passed > 0 && passed < SIZE, `${passed} of ${SIZE} passed`);
      const values = gradient.map((slope, i) => (slope === 0 ? 1 : p[i]! * scale + 1));
      for (const [i, slope] of gradient.entries()) {
        if (slope !== 0) assert.ok(Math.abs(slope - 2 * values[i]! * scale) < 1e-6);
      }
      const loss = values.reduce((sum, value) => sum + value ** 2, 0);
      assert.ok(Math.abs(Number(found[portNames.loss]!.data[0]) / loss - 1) < 1e-6);
    });
  }
});
