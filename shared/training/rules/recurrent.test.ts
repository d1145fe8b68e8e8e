import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { gradientName, portNames } from '../artefact-names.ts';
import { compileTraining } from '../compile-training.ts';
import type { Attributes } from '../model/attributes.ts';
import { dataType, TensorProto } from '../model/onnx-proto.ts';
import { floatTensor, int64Tensor, shapeSize } from '../model/onnx-tensor.ts';
import type { Shape } from '../model/shape.ts';
import { opsetRange } from '../model/source-graph.ts';
import { buildModel, type FixtureNode, port, randomValues } from '../model-fixture.ts';
import {
  directionCount,
  gateCounts,
  type RecurrentLayer,
  referenceOutputs,
} from '../recurrent/recurrent-reference.fixture.ts';

const type = dataType.float32;

interface LayerCase extends RecurrentLayer {
  /** Of B, initial_h, initial_c. */
  readonly given: readonly string[];
  /** Of Y, Y_h, Y_c: what the loss depends on. */
  readonly read: readonly ('Y' | 'Y_h' | 'Y_c')[];
  readonly opset: number;
}

const outputNames = ['Y', 'Y_h', 'Y_c'] as const;
const OUTPUTS = 3;

function inputShapes(layer: LayerCase): Map<string, number[]> {
  const { operator, time, batch, features, units, given } = layer;
  const directions = directionCount(layer);
  const rows = gateCounts[operator] * units;
  const shapes: [string, number[]][] = [
    ['X', [time, batch, features]],
    ['W', [directions, rows, features]],
    ['R', [directions, rows, units]],
    ['B', [directions, 2 * rows]],
    ['initial_h', [directions, batch, units]],
    ['initial_c', [directions, batch, units]],
  ];
  return new Map(shapes.filter(([name]) => 'XWR'.includes(name) || given.includes(name)));
}

function outputShape(layer: LayerCase, name: string): number[] {
  const { time, batch, units } = layer;
  const state = [directionCount(layer), batch, units];
  return name === 'Y' ? [time, ...state] : state;
}

function attributes(layer: LayerCase): Attributes {
  return {
    hidden_size: { int: layer.units },
    direction: { string: layer.direction },
    ...(layer.operator === 'GRU' && {
      linear_before_reset: { int: Number(layer.resetsProduct ?? false) },
    }),
    ...(layer.activations && { activations: { strings: layer.activations } }),
  };
}

/** The names that are there, and '' for others before them. */
function leavingOut(names: readonly string[], isThere: (name: string) => boolean): string[] {
  const last = names.findLastIndex(isThere);
  return names.slice(0, last + 1).map((name) => (isThere(name) ? name : ''));
}

/** The layer on parameters alone; a row y [1, 3] of what is read, mixed by the constants `mix`. */
function layerModel(layer: LayerCase) {
  const shapes = inputShapes(layer);
  const operands = ['X', 'W', 'R', 'B', '', 'initial_h', 'initial_c'];
  const inputs = leavingOut(operands, (name) => shapes.has(name));
  const outputs = leavingOut(outputNames, (name) => layer.read.some((read) => read === name));
  const nodes: FixtureNode[] = [];
  const known = new Map<string, Shape>();
  const initialisers = [...shapes].map(([name, shape], index) =>
    floatTensor(name, shape, { type, data: randomValues(shapeSize(shape), 20 + index) }),
  );
  let sum = 'x';
  layer.read.forEach((name, index) => {
    const size = shapeSize(outputShape(layer, name));
    const last = index === layer.read.length - 1;
    const values = [`${name} row`, `${name} mixed`, last ? 'y' : `${name} sum`] as const;
    nodes.push(
      ['Reshape', [name, 'row'], values[0]],
      ['MatMul', [values[0], `${name} mix`], values[1]],
      ['Add', [sum, values[1]], values[2]],
    );
    known.set(values[0], [1, size]).set(values[1], [1, OUTPUTS]);
    known.set(name, outputShape(layer, name));
    if (!last) known.set(values[2], [1, OUTPUTS]);
    initialisers.push(
      floatTensor(`${name} mix`, [size, OUTPUTS], {
        type,
        data: randomValues(size * OUTPUTS, 30 + index),
      }),
    );
    sum = values[2];
  });
  const bytes = buildModel({
    opset: layer.opset,
    nodes: [[layer.operator, inputs, outputs, attributes(layer)], ...nodes],
    initialisers: [...initialisers, int64Tensor('row', [2], [1, -1])],
    inputs: [port('x', [null, OUTPUTS], type)],
    outputs: [port('y', [null, OUTPUTS], type)],
  });
  return { bytes, known };
}

/** The mean squared error of what the layer gives, in double precision. */
function referenceLoss(layer: LayerCase, inputs: Readonly<Record<string, Float64Array>>): number {
  const outputs = referenceOutputs(layer, inputs);
  const row = new Float64Array(OUTPUTS);
  layer.read.forEach((name, index) => {
    const mix = randomValues(outputs[name].length * OUTPUTS, 30 + index);
    outputs[name].forEach((value, at) => {
      for (let o = 0; o < OUTPUTS; o++) row[o]! += value * mix[at * OUTPUTS + o]!;
    });
  });
  const target = randomValues(OUTPUTS, 40);
  return row.reduce((sum, value, o) => sum + (value - target[o]!) ** 2, 0) / OUTPUTS;
}

function centralDifferences(layer: LayerCase, at: Readonly<Record<string, Float64Array>>) {
  const step = 1e-5;
  return new Map(
    Object.entries(at).map(([name, values]) => [
      name,
      values.map((value, index) => {
        const moved = (by: number) => ({ ...at, [name]: values.with(index, value + by) });
        return (
          (referenceLoss(layer, moved(step)) - referenceLoss(layer, moved(-step))) / (2 * step)
        );
      }),
    ]),
  );
}

const sizes = { time: 4, batch: 3, features: 2, units: 3 } as const;
const whole = {
  ...sizes,
  given: ['B', 'initial_h', 'initial_c'],
  read: outputNames,
  opset: opsetRange.newest,
} as const;
const states = { ...whole, given: ['B', 'initial_h'], read: ['Y', 'Y_h'] } as const;
const lstm = { ...whole, operator: 'LSTM', direction: 'forward' } as const;
const gru = { ...states, operator: 'GRU', direction: 'forward', resetsProduct: true } as const;
const rnn = { ...states, operator: 'RNN', direction: 'forward' } as const;

const cases: Readonly<Record<string, LayerCase>> = {
  'an LSTM': lstm,
  'an LSTM of opset 13': { ...lstm, opset: opsetRange.oldest },
  'a reversed LSTM': { ...lstm, direction: 'reverse' },
  'an LSTM of two directions': { ...lstm, direction: 'bidirectional' },
  'an LSTM without biases': { ...lstm, given: [] },
  'an LSTM of two directions from zero': { ...lstm, direction: 'bidirectional', given: ['B'] },
  'an LSTM of which all states are read': { ...lstm, given: ['B'], read: ['Y'] },
  'an LSTM of which the last state is read': { ...lstm, given: ['B'], read: ['Y_h'] },
  'an LSTM of which the cell is read': { ...lstm, read: ['Y_c'] },
  'an LSTM over one time': { ...lstm, time: 1 },
  'an LSTM over one time from zero': { ...lstm, time: 1, given: ['B'] },
  'an LSTM of one unit, feature and example': { ...lstm, batch: 1, features: 1, units: 1 },
  'a GRU': gru,
  'a GRU of opset 13': { ...gru, opset: opsetRange.oldest },
  'a reversed GRU from zero': { ...gru, direction: 'reverse', given: [] },
  'a GRU of two directions': { ...gru, direction: 'bidirectional' },
  'a GRU of which the last state is read': { ...gru, given: ['B'], read: ['Y_h'] },
  'a GRU over one time': { ...gru, time: 1 },
  'a GRU that resets the state': { ...gru, resetsProduct: false },
  'a GRU of two directions that resets the state': {
    ...gru,
    direction: 'bidirectional',
    resetsProduct: false,
  },
  'a GRU that resets the state, from zero, without biases': {
    ...gru,
    resetsProduct: false,
    given: [],
    read: ['Y_h'],
  },
  'a simple layer': rnn,
  'a reversed simple layer without biases': { ...rnn, direction: 'reverse', given: [] },
  'a simple layer of two directions, Relu and Sigmoid': {
    ...rnn,
    direction: 'bidirectional',
    activations: ['Relu', 'Sigmoid'],
  },
};

function compiled(layer: LayerCase) {
  const { bytes, known } = layerModel(layer);
  return compileTraining(bytes, {
    loss: 'mse',
    optimiser: { kind: 'sgd' },
    frozen: layer.read.map((name) => `${name} mix`),
    shapes: known,
  });
}

describe('gradients of recurrent layers agree with central differences', () => {
  for (const [title, layer] of Object.entries(cases)) {
    it(title, async () => {
      const graphs = compiled(layer);
      assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
      const { gradients, manifest } = graphs.value;
      await using session = await nodeOnnxRuntime.load(gradients);
      const found = await session.run({
        ...Object.fromEntries(manifest.parameters.map((p) => [p.name, p])),
        x: { shape: [1, OUTPUTS], data: new Float32Array(OUTPUTS) },
        [portNames.target]: { shape: [1, OUTPUTS], data: randomValues(OUTPUTS, 40) },
        [portNames.weights]: { shape: [1], data: Float32Array.of(1) },
      });
      const at = Object.fromEntries(
        manifest.parameters.map(({ name, data }) => [name, Float64Array.from(data)]),
      );
      assert.deepEqual(Object.keys(at), [...inputShapes(layer).keys()]);
      const loss = referenceLoss(layer, at);
      const foundLoss = Number(found[portNames.loss]!.data[0]);
      assert.ok(Math.abs(foundLoss - loss) < 1e-5 * loss, `loss ${foundLoss}, not ${loss}`);
      for (const [name, expected] of centralDifferences(layer, at)) {
        const gradient = found[gradientName(name)]!;
        assert.deepEqual(gradient.shape, inputShapes(layer).get(name));
        const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        // A state of zeros makes nothing of R.
        const isIdle = name === 'R' && layer.time === 1 && !layer.given.includes('initial_h');
        assert.equal(largest > 1e-3, !isIdle, `${name} has a gradient`);
        const error = expected.reduce(
          (most, value, i) => Math.max(most, Math.abs(value - Number(gradient.data[i]))),
          0,
        );
        assert.ok(error <= 1e-5 * largest, `${name}: ${error / largest}`);
      }
    });
  }
});

/** x [T, B, 2] -> y, the states of a layer of 3 units with these settings. */
function refusalOf(
  operator: 'LSTM' | 'GRU' | 'RNN',
  { settings = {}, lengths }: { settings?: Attributes; lengths?: readonly number[] },
) {
  const rows = gateCounts[operator] * 3;
  const given = lengths === undefined ? ['', ''] : ['', 'lengths'];
  const peepholes = 'peepholes' in settings ? ['', '', 'P'] : [];
  const { peepholes: _, ...others } = settings;
  const tensor = (name: string, shape: readonly number[]) =>
    floatTensor(name, shape, { type, data: randomValues(shapeSize(shape), 1) });
  const graphs = compileTraining(
    buildModel({
      nodes: [
        [operator, ['x', 'W', 'R', ...given, ...peepholes], 'Y', { ...layerSize, ...others }],
        ['Reshape', ['Y', 'row'], 'y'],
      ],
      initialisers: [
        tensor('W', [1, rows, 2]),
        tensor('R', [1, rows, 3]),
        tensor('P', [1, 9]),
        TensorProto.create({
          name: 'lengths',
          dims: [2],
          dataType: 6,
          int32Data: [...(lengths ?? [])],
        }),
        int64Tensor('row', [2], [-1, 3]),
      ],
      inputs: [port('x', [null, 2, 2], type)],
      outputs: [port('y', [null, 3], type)],
    }),
    { loss: 'mse', optimiser: { kind: 'sgd' }, shapes: new Map([['x', [4, 2, 2]]]) },
  );
  return graphs.ok ? undefined : graphs.error;
}

const layerSize = { hidden_size: { int: 3 } };

describe('a recurrent layer', () => {
  const refused = [
    ['LSTM', { clip: { float: 1 } }, /clip/],
    ['LSTM', { input_forget: { int: 1 } }, /input_forget/],
    ['LSTM', { layout: { int: 1 } }, /layout 1/],
    ['LSTM', { peepholes: { int: 1 } }, /peepholes/],
    ['LSTM', { activations: { strings: ['Sigmoid', 'Relu', 'Tanh'] } }, /sigmoid, relu, tanh/],
    ['GRU', { activations: { strings: ['HardSigmoid', 'Tanh'] } }, /hardsigmoid, tanh/],
    ['RNN', { activations: { strings: ['Softsign'] } }, /softsign/],
    ['RNN', { hidden_size: { int: 0 } }, /hidden_size left out/],
  ] as const;
  for (const [operator, settings, named] of refused) {
    it(`is refused with ${Object.keys(settings)} (${operator})`, () => {
      const failure = refusalOf(operator, { settings });
      assert.equal(failure?.code, 'unsupported-operator');
      assert.equal(failure.node?.operator, operator);
      assert.match(failure.message, named);
    });
  }

  it('is refused with lengths of sequences, unless they are whole', () => {
    const failure = refusalOf('GRU', { lengths: [4, 3] });
    assert.equal(failure?.code, 'unsupported-operator');
    assert.match(failure.message, /sequence_lens/);
    assert.equal(refusalOf('GRU', { lengths: [4, 4] }), undefined);
  });

  it('may state the functions it has anyway', () => {
    const activations = { strings: ['Sigmoid', 'Tanh', 'Tanh'] };
    assert.equal(refusalOf('LSTM', { settings: { activations } }), undefined);
  });
});
