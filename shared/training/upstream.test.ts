import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkGradients } from './gradient.contract.ts';
import { dataType } from './model/onnx-proto.ts';
import { floatTensor } from './model/onnx-tensor.ts';
import { buildModel, type FixtureNode, port, randomTensor } from './model-fixture.ts';
import { compileModel } from './rules/rule-case.contract.ts';

const { float32, float64, int64 } = dataType;
const to = (type: number) => ({ to: { int: type } });

/** x [batch, 4] -> y [batch, 4], with the parameter p [4]. */
function model(nodes: readonly FixtureNode[], type: 1 | 11 = float64) {
  return buildModel({
    nodes,
    initialisers: [
      randomTensor('p', [4], { seed: 1, type }),
      floatTensor('tenth', [], { type, data: [0.1] }),
      floatTensor('thousandth', [], { type, data: [0.001] }),
    ],
    inputs: [port('x', [null, 4], type)],
    outputs: [port('y', [null, 4], type)],
  });
}

describe('what a gradient reaches', () => {
  it('ends at a comparison, whose mask is a constant', async () => {
    const graphs = await compileModel(
      model([
        ['Greater', ['p', 'tenth'], 'above'],
        ['Cast', ['above'], 'mask', to(float64)],
        ['Mul', ['p', 'mask'], 'masked'],
        ['Mul', ['x', 'masked'], 'y'],
      ]),
    );
    const check = await checkGradients(graphs, 3);
    assert.ok(check.differenceError < 1e-7 && check.adjointError < 1e-7);
  });

  it('ends at an integer, also of a Cast', async () => {
    const graphs = await compileModel(
      model([
        ['Cast', ['p'], 'whole', to(int64)],
        ['Cast', ['whole'], 'back', to(float64)],
        // So that a gradient that came through would not be rounded to 0.
        ['Div', ['back', 'thousandth'], 'steep'],
        ['ArgMax', ['p'], 'place'],
        ['Gather', ['p', 'place'], 'largest'],
        ['Cast', ['place'], 'number', to(float64)],
        ['Sum', ['steep', 'largest', 'number'], 'sum'],
        ['Mul', ['x', 'sum'], 'y'],
      ]),
    );
    const check = await checkGradients(graphs, 3);
    assert.ok(check.differenceError < 1e-7 && check.adjointError < 1e-7);
  });

  for (const steps of ['Ceil', 'Floor', 'Round', 'Sign']) {
    it(`ends at the steps of ${steps}, and goes on beside them`, async () => {
      const graphs = await compileModel(
        model([
          ['Div', ['p', 'thousandth'], 'steep'],
          [steps, ['steep'], 'whole'],
          ['Sub', ['p', 'whole'], 'rest'],
          ['Mul', ['x', 'rest'], 'y'],
        ]),
      );
      const check = await checkGradients(graphs, 3);
      assert.ok(check.differenceError < 1e-7 && check.adjointError < 1e-7);
    });
  }

  it('passes through parts in another float type', async () => {
    const graphs = await compileModel(
      model(
        [
          ['Cast', ['p'], 'wide', to(float64)],
          ['Sigmoid', ['wide'], 's'],
          ['Relu', ['s'], 'r'],
          ['Cast', ['r'], 'narrow', to(float32)],
          ['Sigmoid', ['narrow'], 't'],
          ['Mul', ['x', 't'], 'y'],
        ],
        float32,
      ),
    );
    const check = await checkGradients(graphs, 3);
    assert.ok(check.differenceError < 2e-3 && check.adjointError < 2e-3);
    assert.ok(check.magnitudes.get('p')! > 1e-3);
  });
});
