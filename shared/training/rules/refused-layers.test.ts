import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileTraining } from '../compile-training.ts';
import type { Attributes } from '../model/attributes.ts';
import type { Shape } from '../model/shape.ts';
import { buildModel, type FixtureNode, port, randomTensor } from '../model-fixture.ts';

interface Refusal {
  readonly operator: string;
  /** Of the inputs, which are the parameter `p`, then `q` ... where not named. */
  readonly shapes: readonly Shape[];
  readonly output: Shape;
  readonly names?: readonly string[];
  readonly attributes?: Attributes;
  readonly before?: readonly FixtureNode[];
  readonly message: RegExp;
}

const ints = (...values: number[]) => ({ ints: values });
const heads = [1, 2, 3, 4];

const refusals: readonly Refusal[] = [
  {
    operator: 'Conv',
    shapes: [
      [2, 3, null],
      [4, 3, 3],
    ],
    output: [2, 4, null],
    attributes: { auto_pad: { string: 'SAME_LOWER' } },
    message: /automatic padding along an axis whose size varies/,
  },
  {
    operator: 'ConvTranspose',
    shapes: [
      [2, 3, null],
      [3, 4, 3],
    ],
    output: [2, 4, null],
    attributes: { auto_pad: { string: 'SAME_UPPER' } },
    message: /automatic padding along an axis whose size varies/,
  },
  {
    operator: 'MaxPool',
    shapes: [[2, 3, 4]],
    output: [2, 3, 2],
    attributes: { kernel_shape: ints(2), storage_order: { int: 1 } },
    message: /storage_order 1/,
  },
  {
    operator: 'AveragePool',
    shapes: [[2, 3, null]],
    output: [2, 3, null],
    attributes: { kernel_shape: ints(2) },
    message: /spatial axes that vary in size/,
  },
  {
    operator: 'BatchNormalization',
    shapes: [[2, 3], [3], [3], [3], [3]],
    names: ['p', 'q1', 'q2', 'm', 'q3'],
    before: [['Neg', ['q2'], 'm']],
    output: [2, 3],
    message: /statistics that the model calculates/,
  },
  {
    operator: 'Einsum',
    shapes: [[3, 3]],
    output: [3],
    attributes: { equation: { string: 'ii->i' } },
    message: /an axis named twice/,
  },
  {
    operator: 'Attention',
    shapes: [heads, heads, heads],
    output: heads,
    attributes: { softcap: { float: 5 } },
    message: /a softcap/,
  },
  {
    operator: 'Attention',
    shapes: [heads, heads, heads, [], heads, heads],
    names: ['p', 'q', 'q', '', 'q', 'q'],
    output: heads,
    message: /past keys and values/,
  },
  {
    operator: 'Attention',
    shapes: [[1, null, 3, 4], heads, heads],
    output: heads,
    message: /heads that vary in number or size/,
  },
];

function refusal({ operator, shapes, output, attributes = {}, before = [], names }: Refusal) {
  const given = names ?? shapes.map((_, index) => (index === 0 ? 'p' : `q${index}`));
  const known = new Map<string, Shape>([
    ['z', output],
    ['s', []],
    ['y', [null]],
  ]);
  given.forEach((name, index) => {
    if (name !== '') known.set(name, shapes[index]!);
  });
  const made = before.map(([, , name]) => `${name}`);
  const initialisers = [...known.keys()].filter((name) => /^[pq]/.test(name));
  const graphs = compileTraining(
    buildModel({
      opset: 24,
      nodes: [
        ...before,
        [operator, given, 'z', attributes],
        ['ReduceSum', ['z'], 's', { keepdims: { int: 0 } }],
        ['Add', ['x', 's'], 'y'],
      ],
      initialisers: initialisers.map((name) =>
        randomTensor(
          name,
          known.get(name)!.map((size) => size ?? 4),
          { seed: 1 },
        ),
      ),
      inputs: [port('x', [null])],
      outputs: [port('y', [null])],
    }),
    { loss: 'mse', optimiser: { kind: 'sgd' }, shapes: known },
  );
  assert.ok(made.every((name) => known.has(name)));
  assert.ok(!graphs.ok, 'the model should have been refused');
  return graphs.error;
}

describe('what the rules of layers refuse', () => {
  for (const one of refusals) {
    it(`${one.operator}: ${one.message.source}`, () => {
      const { code, message, node } = refusal(one);
      assert.equal(code, 'unsupported-operator');
      assert.match(message, one.message);
      assert.equal(node?.operator, one.operator);
    });
  }
});
