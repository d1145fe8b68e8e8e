import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { compileTraining } from '../compile-training.ts';
import { checkGradients } from '../gradient.contract.ts';
import { buildModel, port, randomTensor, randomValues } from '../model-fixture.ts';
import { attributesToProto } from './attributes.ts';
import {
  AttributeProto,
  dataType,
  encodeModel,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  ValueInfoProto,
} from './onnx-proto.ts';
import type { Shape } from './shape.ts';
import { readSourceGraph } from './source-graph.ts';

const opset = 18;
const imports = [
  { domain: '', version: opset },
  { domain: 'com.example', version: 1 },
];
const { FLOAT, INT } = AttributeProto.AttributeType;

interface Body {
  readonly name: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly node: NodeProto[];
  readonly attribute?: readonly string[];
  readonly opsetImport?: typeof imports;
}

function operation(opType: string, input: string[], output: string[], others = {}): NodeProto {
  return NodeProto.create({ name: `its ${opType}`, opType, input, output, ...others });
}

/** A call of a function of the domain `com.example`. */
function call(opType: string, input: string[], output: string[], others = {}): NodeProto {
  const name = `call ${output.find((value) => value !== '')}`;
  return NodeProto.create({ name, opType, domain: 'com.example', input, output, ...others });
}

/** x [batch, 4] -> y [batch, 4], by `nodes`, with parameters w [4, 4] and v [4]. */
function model(nodes: readonly NodeProto[], bodies: readonly Body[]): Uint8Array<ArrayBuffer> {
  const plain = buildModel({
    opset,
    nodes: [],
    initialisers: [randomTensor('w', [4, 4], { seed: 1 }), randomTensor('v', [4], { seed: 2 })],
    inputs: [port('x', [null, 4])],
    outputs: [port('y', [null, 4])],
  });
  const decoded = ModelProto.decode(plain);
  decoded.graph!.node = [...nodes];
  decoded.functions = bodies.map((body) =>
    FunctionProto.create({
      domain: 'com.example',
      opsetImport: imports,
      ...body,
      input: [...body.input],
      output: [...body.output],
      attribute: [...(body.attribute ?? [])],
    }),
  );
  return encodeModel(decoded);
}

const toDouble = attributesToProto({ to: { int: dataType.float64 } });

/** tanh(Scaled(in weight + bias, slope)) and the sum before it. */
const dense: Body = {
  name: 'Dense',
  input: ['in', 'weight', 'bias'],
  output: ['out', 'sum'],
  attribute: ['slope'],
  node: [
    operation('MatMul', ['in', 'weight'], ['h']),
    operation('Add', ['h', 'bias'], ['sum']),
    operation('Constant', [], ['slope'], {
      attribute: [
        AttributeProto.create({ name: 'value_float', type: FLOAT, refAttrName: 'slope' }),
      ],
    }),
    operation('Cast', ['slope'], ['factor'], { attribute: toDouble }),
    call('Scaled', ['sum', 'factor'], ['scaled']),
    operation('Tanh', ['scaled'], ['out']),
  ],
};
const scaled: Body = {
  name: 'Scaled',
  input: ['in', 'by'],
  output: ['h'],
  node: [operation('Mul', ['in', 'by'], ['h'])],
};
const half = { attribute: attributesToProto({ slope: { float: 0.5 } }) };
const quarter = { attribute: attributesToProto({ slope: { float: 0.25 } }) };

async function outputs(bytes: Uint8Array, feeds = {}): Promise<number[]> {
  await using session = await nodeOnnxRuntime.load(bytes);
  const x = { shape: [3, 4], data: Float64Array.from(randomValues(12, 5)) };
  return Array.from((await session.run({ x, ...feeds })).y!.data, Number);
}

function compiled(bytes: Uint8Array) {
  const names = ['h', 'sum', 'scaled', 'factor', 'slope'];
  const calls = ['call a', 'call y', 'call a/call scaled', 'call y/call scaled'];
  const shapes = new Map<string, Shape>(['a', 'extra', 'unread'].map((name) => [name, [null, 4]]));
  for (const caller of calls) {
    for (const name of names) {
      shapes.set(`${caller}/${name}`, /factor|slope/.test(name) ? [] : [null, 4]);
    }
  }
  const graphs = compileTraining(bytes, {
    loss: { kind: 'mse' },
    optimiser: { kind: 'sgd' },
    shapes,
  });
  assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
  return graphs.value;
}

function refusal(bytes: Uint8Array) {
  const read = readSourceGraph(bytes);
  assert.ok(!read.ok, 'the model should have been refused');
  return read.error;
}

describe('functions of a model', () => {
  const twice = model(
    [
      call('Dense', ['x', 'w', 'v'], ['a', 'extra'], half),
      call('Dense', ['a', 'w', 'v'], ['y', 'unread'], quarter),
    ],
    [dense, scaled],
  );

  it('are inlined with their attributes and the functions they call, and train', async () => {
    const graphs = compiled(twice);
    const { parameters } = graphs.manifest;
    const feeds = Object.fromEntries(
      parameters.map((p) => [p.name, { shape: p.shape, data: Float64Array.from(p.data) }]),
    );
    assert.deepEqual(await outputs(graphs.predict, feeds), await outputs(twice));
    const check = await checkGradients(graphs, 3);
    assert.ok(check.differenceError < 1e-7, `central differences: ${check.differenceError}`);
    assert.equal(check.magnitudes.size, 2);
    const written = graphs.writeBack(parameters);
    assert.ok(written.ok);
    assert.deepEqual(await outputs(written.value), await outputs(twice));
  });

  it('get fresh names, also where the model has taken those', () => {
    const taken = model(
      [
        operation('Identity', ['x'], ['call y/h']),
        call('Scaled', ['call y/h', 'v'], ['b']),
        call('Dense', ['b', 'w', 'v'], ['y'], half),
      ],
      [dense, scaled],
    );
    const read = readSourceGraph(taken);
    assert.ok(read.ok);
    const made = read.value.nodes.flatMap(({ output }) => output);
    assert.ok(made.includes('call y/h') && made.includes('call y/h_2'));
    assert.deepEqual(
      read.value.nodes.filter(({ domain }) => domain !== ''),
      [],
    );
    assert.equal(read.value.nodes.at(-1)?.name, 'call y/its Tanh');
  });

  it('leave attributes out where neither the call nor the function has them', () => {
    const axis = {
      attribute: [AttributeProto.create({ name: 'axis', type: INT, refAttrName: 'on' })],
    };
    const flat: Body = {
      name: 'Flat',
      input: ['in'],
      output: ['out'],
      attribute: ['on'],
      node: [operation('Softmax', ['in'], ['out'], axis)],
    };
    const attributesOf = (others: object) => {
      const read = readSourceGraph(model([call('Flat', ['x'], ['y'], others)], [flat]));
      assert.ok(read.ok);
      return read.value.nodes[0]!.attribute.map(({ name, i }) => [name, Number(i)]);
    };
    assert.deepEqual(attributesOf({}), []);
    const given = { attribute: attributesToProto({ on: { int: 1 } }) };
    assert.deepEqual(attributesOf(given), [['axis', 1]]);
  });

  it('take the default attributes that older message classes do not know', () => {
    const decoded = ModelProto.decode(twice);
    decoded.graph!.node![0]!.attribute = [];
    const functions = decoded.functions.map((body) => FunctionProto.encode(body).finish());
    decoded.functions = [];
    const slope = attributesToProto({ slope: { float: 0.125 } })[0]!;
    const defaults = delimited(11, AttributeProto.encode(slope).finish());
    const bytes = Uint8Array.from([
      ...encodeModel(decoded),
      ...delimited(25, [...functions[0]!, ...defaults]),
      ...delimited(25, functions[1]!),
    ]);
    const read = readSourceGraph(bytes);
    assert.ok(read.ok);
    const constants = read.value.nodes.filter(({ opType }) => opType === 'Constant');
    const floats = constants.map(({ attribute }) => [attribute[0]!.name, attribute[0]!.f]);
    assert.deepEqual(floats, [
      ['value_float', 0.125],
      ['value_float', 0.25],
    ]);
    // Cut inside the defaults, whose message the classes skip.
    const broken = Uint8Array.from([
      ...encodeModel(decoded),
      ...delimited(25, [...functions[0]!, ...delimited(11, [0x0a, 0x7f])]),
    ]);
    assert.equal(refusal(broken).code, 'not-onnx');
  });

  it('are inlined with the inner graphs they hold, and in inner graphs that call them', () => {
    const branch = (name: string, made: NodeProto) =>
      GraphProto.create({
        name,
        node: [made],
        output: [ValueInfoProto.create({ name: made.output[0]! })],
      });
    const choose: Body = {
      name: 'Choose',
      input: ['which', 'in'],
      output: ['out'],
      node: [
        operation('Neg', ['in'], ['h']),
        operation('If', ['which'], ['out'], {
          attribute: attributesToProto({
            then_branch: { graph: branch('then', call('Scaled', ['h', 'in'], ['r'])) },
            else_branch: { graph: branch('else', operation('Identity', ['h'], ['s'])) },
          }),
        }),
      ],
    };
    const read = readSourceGraph(
      model(
        [
          operation('ReduceMax', ['x'], ['most'], {
            attribute: attributesToProto({ keepdims: { int: 0 } }),
          }),
          operation('Cast', ['most'], ['c'], {
            attribute: attributesToProto({ to: { int: dataType.bool } }),
          }),
          call('Choose', ['c', 'x'], ['y']),
        ],
        [choose, scaled],
      ),
    );
    assert.ok(read.ok, read.ok ? '' : read.error.message);
    const inner = read.value.nodes.at(-1)!.attribute.map(({ g }) => g!.node!);
    assert.deepEqual(
      inner.map((nodes) => nodes.map(({ opType, input, output }) => [opType, input, output])),
      [[['Mul', ['call y/h', 'x'], ['call y/r']]], [['Identity', ['call y/h'], ['call y/s']]]],
    );
  });

  it('are refused where they call each other in a circle', () => {
    const there: Body = { ...scaled, name: 'There', node: [call('Back', ['in', 'by'], ['h'])] };
    const back: Body = { ...scaled, name: 'Back', node: [call('There', ['in', 'by'], ['h'])] };
    const failure = refusal(model([call('There', ['x', 'v'], ['y'])], [there, back]));
    assert.equal(failure.code, 'model-invalid');
    assert.match(failure.message, /calls itself/);
  });

  it('are refused where they multiply beyond measure', () => {
    const levels = Array.from({ length: 20 }, (_, level): Body => {
      const name = `Level${level}`;
      const next = `Level${level + 1}`;
      const node = [call(next, ['in', 'by'], ['h']), call(next, ['h', 'by'], ['i'])];
      return { ...scaled, name, output: ['i'], node };
    });
    const bodies = [...levels, { ...scaled, name: 'Level20' }];
    assert.equal(
      refusal(model([call('Level0', ['x', 'v'], ['y'])], bodies)).code,
      'model-too-large',
    );
  });

  it('are refused in another operator set than the model, or where there are two', () => {
    const older = [{ domain: '', version: 17 }];
    const nodes = [call('Scaled', ['x', 'v'], ['y'])];
    const failure = refusal(model(nodes, [{ ...scaled, opsetImport: older }]));
    assert.equal(failure.code, 'opset-unsupported');
    assert.match(failure.message, /com\.example:Scaled is written in operator set 17/);
    assert.equal(refusal(model(nodes, [scaled, scaled])).code, 'model-invalid');
  });

  it('bring operator sets along that the model lacks', () => {
    const foreign = {
      ...scaled,
      node: [operation('Twirl', ['in'], ['h'], { domain: 'com.other' })],
    };
    const opsetImport = [...imports, { domain: 'com.other', version: 3 }];
    const read = readSourceGraph(
      model([call('Scaled', ['x', 'v'], ['y'])], [{ ...foreign, opsetImport }]),
    );
    assert.ok(read.ok);
    assert.deepEqual(
      read.value.model.opsetImport.map(({ domain, version }) => [domain, Number(version)]),
      [
        ['', 18],
        ['com.example', 1],
        ['com.other', 3],
      ],
    );
  });
});

/** A length-delimited field of a protobuf message. */
function delimited(field: number, bytes: ArrayLike<number>): number[] {
  return [...varint(field * 8 + 2), ...varint(bytes.length), ...Array.from(bytes)];
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
