import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileTraining } from './compile-training.ts';
import type { TrainingOptions } from './differentiate.ts';
import { createMlpModel } from './mlp-model.ts';
import {
  dataType,
  encodeModel,
  ModelProto,
  modelSizeBytesMax,
  TensorProto,
} from './model/onnx-proto.ts';
import { int64Tensor } from './model/onnx-tensor.ts';
import {
  buildModel,
  type FixtureNode,
  type ModelFixture,
  port,
  randomTensor,
} from './model-fixture.ts';
import { createShapeProbe } from './shape-probe.ts';
import type { TrainingFailure } from './training-failure.ts';

function refusal(model: Uint8Array, options: Partial<TrainingOptions> = {}): TrainingFailure {
  const graphs = compileTraining(model, { loss: 'mse', optimiser: { kind: 'sgd' }, ...options });
  assert.ok(!graphs.ok, 'the model should have been refused');
  assert.match(graphs.error.message, /^[^\n]+$/);
  return graphs.error;
}

const type = dataType.float32;

/** x [batch, 3] -> y [batch, 2], with weights w [3, 2] and b [2]. */
function model(nodes: readonly FixtureNode[], others: Partial<ModelFixture> = {}) {
  return buildModel({
    nodes,
    initialisers: [
      randomTensor('w', [3, 2], { seed: 1, type }),
      randomTensor('b', [2], { seed: 2, type }),
    ],
    inputs: [port('x', [null, 3], type)],
    outputs: [port('y', [null, 2], type)],
    ...others,
  });
}

const gemm: FixtureNode = ['Gemm', ['x', 'w', 'b'], 'y'];

describe('a model that cannot be trained', () => {
  const mlp = createMlpModel({ inputs: 3, hidden: [4], outputs: 1, seed: 1 });

  it('is refused wherever it is cut short', () => {
    for (let length = 0; length < mlp.length; length++) {
      const { code } = refusal(mlp.subarray(0, length));
      assert.equal(code, 'not-onnx', `cut to ${length} bytes`);
    }
  });

  it('is refused where it is no ONNX file', () => {
    const random = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251);
    for (const bytes of [new Uint8Array(0), new TextEncoder().encode('<html>'), random]) {
      assert.equal(refusal(bytes).code, 'not-onnx');
      const probe = createShapeProbe(bytes);
      assert.ok(!probe.ok && probe.error.code === 'not-onnx');
    }
  });

  it('is refused where it is an empty graph, or too large', () => {
    const opsetImport = [{ domain: '', version: 21 }];
    const empty = ModelProto.create({ irVersion: 8, opsetImport, graph: { name: 'empty' } });
    assert.equal(refusal(encodeModel(empty)).code, 'not-onnx');
    assert.equal(refusal(new Uint8Array(modelSizeBytesMax + 1)).code, 'model-too-large');
  });

  it('is refused where its nesting exhausts the stack', () => {
    // A graph with a node with an attribute with a graph with a node ...
    const fields = [...Array.from({ length: 60_000 }, (_, i) => [6, 5, 1][i % 3]!), 7];
    const heads: number[][] = [];
    let length = 0;
    for (const field of fields) {
      const head = [(field << 3) | 2];
      let rest = length;
      for (; rest > 127; rest >>>= 7) head.push((rest & 127) | 128);
      head.push(rest);
      heads.push(head);
      length += head.length;
    }
    const failure = refusal(Uint8Array.from(heads.reverse().flat()));
    assert.equal(failure.code, 'not-onnx');
    assert.match(failure.message, /call stack/);
  });

  for (const opset of [12, 27]) {
    it(`is refused in operator set ${opset}`, () => {
      const failure = refusal(model([gemm], { opset }));
      assert.equal(failure.code, 'opset-unsupported');
      assert.match(failure.message, /13 to 26/);
    });
  }

  it('is refused where an unknown operator stands between a parameter and the loss', () => {
    const failure = refusal(
      model([
        ['Gemm', ['x', 'w', 'b'], 'h'],
        ['Mystery', ['h'], 'y', {}, 'com.example'],
      ]),
    );
    assert.equal(failure.code, 'unsupported-operator');
    assert.deepEqual(failure.node, {
      name: 'make y',
      operator: 'Mystery',
      domain: 'com.example',
      opset: 1,
    });
    assert.match(failure.message, /make y \(Mystery, domain com\.example, opset 1\).*w, b.*freeze/);
  });

  const branch: readonly FixtureNode[] = [
    ['Gemm', ['x', 'frozen'], 'f'],
    ['Hardmax', ['f'], 'c'],
    ['Gemm', ['x', 'w', 'b'], 'h'],
    ['Add', ['h', 'c'], 'y'],
  ];
  const branchModel = model(branch, {
    initialisers: [
      randomTensor('w', [3, 2], { seed: 1, type }),
      randomTensor('b', [2], { seed: 2, type }),
      randomTensor('frozen', [3, 2], { seed: 3, type }),
    ],
  });
  const shapes = new Map(['f', 'c', 'h'].map((value) => [value, [null, 2]]));

  it('is refused with the mend: freeze what lies behind the unknown operator', () => {
    const failure = refusal(branchModel, { shapes });
    assert.equal(failure.code, 'unsupported-operator');
    assert.match(failure.message, /stands between frozen and the loss/);
  });

  it('trains where the branch with the unknown operator is frozen', () => {
    const graphs = compileTraining(branchModel, {
      loss: 'mse',
      optimiser: { kind: 'sgd' },
      frozen: ['frozen'],
      shapes,
    });
    assert.ok(graphs.ok);
    assert.deepEqual(
      graphs.value.manifest.parameters.map(({ name }) => name),
      ['w', 'b'],
    );
  });

  it('is refused where its weights are quantised', () => {
    const failure = refusal(
      model(
        [
          ['DequantizeLinear', ['q', 'scale'], 'w'],
          ['Gemm', ['x', 'w'], 'y'],
        ],
        {
          initialisers: [
            TensorProto.create({
              name: 'q',
              dims: [3, 2],
              dataType: 3,
              rawData: new Uint8Array(6),
            }),
            randomTensor('scale', [2], { seed: 1, type }),
          ],
        },
      ),
    );
    assert.equal(failure.code, 'unsupported-operator');
    assert.match(failure.message, /float weights, before quantisation/);
  });

  it('is refused where nothing in it can train', () => {
    const doubled: FixtureNode = ['Add', ['x', 'x'], 'y'];
    const bare = model([doubled], { initialisers: [], outputs: [port('y', [null, 3], type)] });
    assert.equal(refusal(bare).code, 'no-trainable-parameter');
    assert.equal(refusal(model([gemm]), { frozen: ['w', 'b'] }).code, 'no-trainable-parameter');
    const cast: FixtureNode = ['Cast', ['whole'], 'y', { to: { int: type } }];
    const whole = model([cast], { initialisers: [int64Tensor('whole', [1, 2], [1, 2])] });
    assert.equal(refusal(whole).code, 'no-trainable-parameter');
  });

  it('is refused where its data lie elsewhere', () => {
    const away = TensorProto.create({ name: 'w', dims: [3, 2], dataType: type, dataLocation: 1 });
    const failure = refusal(model([['Gemm', ['x', 'w'], 'y']], { initialisers: [away] }));
    assert.equal(failure.code, 'external-data');
    assert.match(failure.message, /values of w/);
  });

  it('is refused where a shape must be learnt first', () => {
    const failure = refusal(
      model([
        ['MatMul', ['x', 'w'], 'm'],
        ['Add', ['m', 'b'], 'h'],
        ['Relu', ['h'], 'y'],
      ]),
    );
    assert.equal(failure.code, 'shape-unknown');
    assert.match(failure.message, /shape of m/);
    const anySize = model([gemm], { outputs: [port('y', [null, null], type)] });
    assert.equal(refusal(anySize).code, 'shape-unknown');
  });

  it('is refused where the output cannot be compared with a target', () => {
    const whole = model([gemm], { outputs: [port('y', [null, 2], dataType.int64)] });
    assert.equal(refusal(whole).code, 'output-unsupported');
    assert.equal(refusal(model([gemm]), { output: 'z' }).code, 'output-unsupported');
    const fixed = new Map([['y', [4, 2]]]);
    assert.equal(refusal(model([gemm]), { shapes: fixed }).code, 'output-unsupported');
  });

  it('is refused where a name in the options is not its own', () => {
    assert.equal(refusal(model([gemm]), { frozen: ['ghost'] }).code, 'unknown-parameter');
  });

  const short = TensorProto.create({
    name: 'w',
    dims: [3, 2],
    dataType: type,
    rawData: new Uint8Array(20),
  });
  for (const [name, invalid] of Object.entries({
    'reads what no node makes': model([['Gemm', ['x', 'w', 'ghost'], 'y']]),
    'makes a value twice': model([gemm, gemm]),
    'lacks the node of its output': model([['Gemm', ['x', 'w', 'b'], 'z']]),
    'holds too little data': model([['Gemm', ['x', 'w'], 'y']], { initialisers: [short] }),
    'is a training graph': model([
      ['Gemm', ['x', 'w', 'b'], 'diten/h'],
      ['Relu', ['diten/h'], 'y'],
    ]),
  })) {
    it(`is refused where it ${name}`, () => {
      assert.equal(refusal(invalid).code, 'model-invalid');
    });
  }

  it('is refused where its input is not a tensor of stated rank', () => {
    const decoded = ModelProto.decode(model([gemm]));
    decoded.graph!.input![0]!.type = {};
    assert.equal(refusal(encodeModel(decoded)).code, 'model-invalid');
  });
});
