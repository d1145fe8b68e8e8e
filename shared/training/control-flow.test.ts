import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileTraining } from './compile-training.ts';
import { checkGradients } from './gradient.contract.ts';
import { dataType, GraphProto, NodeProto } from './model/onnx-proto.ts';
import type { Port } from './model/shape.ts';
import { portToValueInfo } from './model/value-info.ts';
import { buildModel, type FixtureNode, port, randomTensor } from './model-fixture.ts';

function graphOf(nodes: readonly NodeProto[], inputs: readonly Port[], output: Port): GraphProto {
  return GraphProto.create({
    name: 'inner',
    node: [...nodes],
    input: inputs.map(portToValueInfo),
    output: [portToValueInfo(output)],
  });
}

function inner(opType: string, input: string[], output: string): NodeProto {
  return NodeProto.create({ opType, input, output: [output] });
}

/** `total`: the sum, by Scan, of what If chooses of `value`. */
function controlled(value: string): FixtureNode[] {
  const row = (name: string) => port(name, [3]);
  const branch = (opType: string, name: string) => ({
    graph: graphOf([inner(opType, [value], name)], [], port(name, [null, 3])),
  });
  const body = graphOf(
    [inner('Add', ['sum', 'one'], 'next'), inner('Identity', ['next'], 'made')],
    [row('sum'), row('one')],
    row('next'),
  );
  return [
    ['ReduceMax', [value], 'most', { keepdims: { int: 0 } }],
    ['Cast', ['most'], 'isLarge', { to: { int: dataType.bool } }],
    [
      'If',
      ['isLarge'],
      'chosen',
      { then_branch: branch('Abs', 't'), else_branch: branch('Neg', 'e') },
    ],
    ['Scan', ['start', 'chosen'], 'total', { num_scan_inputs: { int: 1 }, body: { graph: body } }],
  ];
}

/** y = x w + total */
function model(value: string): Uint8Array<ArrayBuffer> {
  return buildModel({
    nodes: [['MatMul', ['x', 'w'], 'h'], ...controlled(value), ['Add', ['h', 'total'], 'y']],
    initialisers: [randomTensor('w', [3, 3], { seed: 1 }), randomTensor('start', [3], { seed: 2 })],
    inputs: [port('x', [null, 3])],
    outputs: [port('y', [null, 3])],
  });
}

const shapes = new Map([
  ['h', [null, 3]],
  ['total', [3]],
]);

describe('If and Scan of a model', () => {
  it('are kept where no parameter goes through them', async () => {
    const graphs = compileTraining(model('x'), {
      loss: 'mse',
      optimiser: { kind: 'sgd' },
      frozen: ['start'],
      shapes,
    });
    assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
    const check = await checkGradients(graphs.value, 4);
    assert.equal(check.magnitudes.size, 1);
    assert.ok(check.differenceError < 1e-7, `central differences: ${check.differenceError}`);
  });

  it('are refused on the way from a parameter, also one that only an inner graph reads', () => {
    for (const [value, frozen, operator, named] of [
      ['x', [], 'Scan', 'start'],
      ['h', ['start'], 'Scan', 'w'],
    ] as const) {
      const graphs = compileTraining(model(value), {
        loss: 'mse',
        optimiser: { kind: 'sgd' },
        frozen,
        shapes,
      });
      assert.ok(!graphs.ok);
      const { code, node, message } = graphs.error;
      assert.equal(code, 'unsupported-operator');
      assert.equal(node?.operator, operator);
      assert.match(message, new RegExp(`make total \\(Scan, .* between ${named} and the loss`));
      assert.match(message, /unrolled/);
    }
  });
});
