import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findBlocker, inspectModel, type ModelInspection } from './inspect-model.ts';
import { dataType } from './model/onnx-proto.ts';
import { int64Tensor } from './model/onnx-tensor.ts';
import { buildModel, type FixtureNode, port, randomTensor } from './model-fixture.ts';

const type = dataType.float32;
const weights = ['w1', 'w2', 'w3'] as const;

/** x [batch, 2] -> y [batch, 2], with three weights [2, 2]. */
function model(nodes: readonly FixtureNode[], outputType: number = type): Uint8Array {
  return buildModel({
    nodes,
    initialisers: [
      ...weights.map((name, seed) => randomTensor(name, [2, 2], { seed, type })),
      int64Tensor('axes', [1], [1]),
    ],
    inputs: [port('x', [null, 2], type)],
    outputs: [port('y', [null, 2], outputType)],
  });
}

function inspected(...args: Parameters<typeof inspectModel>): ModelInspection {
  const inspection = inspectModel(...args);
  assert.ok(inspection.ok);
  return inspection.value;
}

function states(inspection: ModelInspection): Record<string, string> {
  return Object.fromEntries(inspection.parameters.map(({ name, state }) => [name, state]));
}

describe('what of a model trains', () => {
  const nodes: readonly FixtureNode[] = [
    ['MatMul', ['x', 'w1'], 'a'],
    ['Mystery', ['a'], 'b', {}, 'com.example'],
    ['Mystery', ['x'], 'side', {}, 'com.example'],
    ['MatMul', ['b', 'w2'], 'c'],
    ['Add', ['c', 'side'], 'y'],
    ['MatMul', ['x', 'w3'], 'unread'],
  ];

  it('is told parameter by parameter', () => {
    const inspection = inspected(model(nodes));
    assert.deepEqual(states(inspection), {
      w1: 'blocked',
      w2: 'trains',
      w3: 'unused',
      axes: 'fixed',
    });
    assert.deepEqual(
      inspection.blockers.map(({ node, parameters }) => [node.name, parameters]),
      [['make b', ['w1']]],
    );
  });

  it('is told operator by operator', () => {
    const { operators } = inspected(model(nodes));
    assert.deepEqual(
      operators.map(({ operator, count, countOnPath, isSupported }) => [
        operator,
        count,
        countOnPath,
        isSupported,
      ]),
      [
        ['MatMul', 3, 2, true],
        ['Mystery', 2, 1, false],
        ['Add', 1, 1, true],
      ],
    );
  });

  it('is not blocked by what is frozen', () => {
    const frozen = { frozen: ['w1'] };
    assert.deepEqual(inspected(model(nodes), frozen).blockers, []);
    assert.equal(findBlocker(model(nodes), frozen), undefined);
  });

  it('is nothing behind an output of whole numbers', () => {
    const places: readonly FixtureNode[] = [
      ['MatMul', ['x', 'w1'], 'a'],
      ['Cast', ['a'], 'y', { to: { int: dataType.int64 } }],
    ];
    assert.equal(states(inspected(model(places, dataType.int64))).w1, 'unused');
  });
});

describe('the blocker named', () => {
  it('is the last one before the output', () => {
    const blocked = findBlocker(
      model([
        ['MatMul', ['x', 'w1'], 'a'],
        ['Mystery', ['a'], 'b', {}, 'com.example'],
        ['Riddle', ['b'], 'y', {}, 'com.example'],
      ]),
    );
    assert.ok(blocked !== undefined && !blocked.ok);
    assert.equal(blocked.error.code, 'unsupported-operator');
    assert.equal(blocked.error.node?.operator, 'Riddle');
  });
});
