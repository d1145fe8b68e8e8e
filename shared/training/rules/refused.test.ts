import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileTraining } from '../compile-training.ts';
import type { Attributes } from '../model/attributes.ts';
import { TensorProto } from '../model/onnx-proto.ts';
import type { Shape } from '../model/shape.ts';
import { buildModel, type FixtureNode, port, randomTensor } from '../model-fixture.ts';
import { int64s } from './rule-case.contract.ts';

interface Refusal {
  readonly operator: string;
  /** Of the parameter, which is the first input. */
  readonly shape: readonly number[];
  readonly constants?: readonly TensorProto[];
  readonly attributes: Attributes;
  readonly message: RegExp;
  /** Nodes before the operator. */
  readonly before?: readonly FixtureNode[];
  /** Of the operator's first input, where that is not the parameter. */
  readonly inputShape?: Shape;
}

const text = (value: string) => ({ string: value });

const refusals: readonly Refusal[] = [
  ...['ScatterElements', 'ScatterND'].map((operator) => ({
    operator,
    shape: [2, 2],
    constants: [int64s([0, 1], [2, 1]), int64s([0, 1], [2, 1])],
    attributes: { reduction: text('mul') },
    message: /its gradient with reduction "mul" is not known.*export the model without reduction/,
  })),
  {
    operator: 'Resize',
    shape: [1, 1, 2, 2],
    attributes: { coordinate_transformation_mode: text('tf_crop_and_resize') },
    message: /tf_crop_and_resize/,
  },
  {
    operator: 'Resize',
    shape: [1, 1, 2, 2],
    attributes: { keep_aspect_ratio_policy: text('not_larger') },
    message: /keep_aspect_ratio_policy "not_larger"/,
  },
  {
    operator: 'ReduceSum',
    shape: [2, 2],
    attributes: {},
    before: [['Shape', ['x'], 'c0']],
    message: /axes that are calculated/,
  },
  {
    operator: 'DepthToSpace',
    shape: [1, 4, 2, 1],
    attributes: { blocksize: { int: 2 }, mode: text('CRD') },
    inputShape: [1, 4, 2, null],
    message: /channels or sizes that vary/,
  },
];

describe('what rules refuse', () => {
  for (const { operator, shape, constants = [], attributes, message, ...rest } of refusals) {
    it(`${operator}: ${message.source}`, () => {
      const { before = [], inputShape = shape } = rest;
      const given = constants.map((tensor, i) => TensorProto.create({ ...tensor, name: `c${i}` }));
      const names = [...given.map(({ name }) => name), ...before.map(([, , name]) => `${name}`)];
      const model = buildModel({
        nodes: [...before, [operator, ['p', ...names], 'z', attributes], ['Add', ['x', 'z'], 'y']],
        initialisers: [randomTensor('p', shape, { seed: 1 }), ...given],
        inputs: [port('x', [null, 2])],
        outputs: [port('y', [null, 2])],
      });
      const graphs = compileTraining(model, {
        loss: { kind: 'mse' },
        optimiser: { kind: 'sgd' },
        shapes: new Map<string, Shape>([
          ['p', inputShape],
          ['z', [2]],
        ]),
      });
      assert.ok(!graphs.ok);
      assert.equal(graphs.error.code, 'unsupported-operator');
      assert.match(graphs.error.message, message);
      assert.equal(graphs.error.node?.operator, operator);
    });
  }
});
