import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { createMlpModel } from '#shared/training/mlp-model.ts';
import {
  dataType,
  decodeModel,
  encodeModel,
  TensorProto,
} from '#shared/training/model/onnx-proto.ts';
import { int64Tensor } from '#shared/training/model/onnx-tensor.ts';
import { encodeTensorFile, type TensorValues } from '#shared/training/model/tensor-file.ts';
import {
  buildModel,
  type FixtureNode,
  port,
  randomTensor,
} from '#shared/training/model-fixture.ts';
import { refuses, runDiten, useFolder } from './diten.fixture.ts';

const type = dataType.float32;
const place = useFolder();

/** x [n, 2] -> y [n, 2], with weights w [2, 2] and frozen [2, 2]. */
function model(...nodes: readonly FixtureNode[]): Uint8Array {
  return buildModel({
    nodes,
    initialisers: [
      randomTensor('w', [2, 2], { seed: 1, type }),
      randomTensor('frozen', [2, 2], { seed: 2, type }),
    ],
    inputs: [port('x', [null, 2], type)],
    outputs: [port('y', [null, 2], type)],
  });
}

const mlp = (inputs: number, outputs: number) =>
  createMlpModel({ inputs, hidden: [4], outputs, seed: 1 });

const rows = Array.from({ length: 40 }, (_, i) => `${i},${Math.sin(i)},${i % 2}`);

function write(name: string, content: Uint8Array | string): void {
  writeFileSync(place.path(name), content);
}

function csv(name: string, changed: Readonly<Record<number, string>> = {}): void {
  write(name, ['a,b,label', ...rows.map((row, i) => changed[i] ?? row), ''].join('\n'));
}

before(() => {
  csv('good.csv');
  write('mlp.onnx', mlp(2, 1));
});

/** `diten model train`, with the usual choices before those of the test. */
function train(...others: string[]): string[] {
  const usual = ['--data', 'good.csv', '--features', 'a,b', '--target', 'b', '-o', 'out.onnx'];
  return ['model', 'train', 'mlp.onnx', ...usual, '--epochs', '1', ...others];
}

describe('a model that is no good', () => {
  const commands = {
    inspect: (file: string) => ['model', 'inspect', file],
    train: (file: string) => train().with(2, file),
    graph: (file: string) => ['model', 'graph', file, '--artefact', 'step', '-o', 'step.onnx'],
  };

  for (const [name, command] of Object.entries(commands)) {
    it(`is refused by ${name} where it is cut short, no ONNX, or not there`, async () => {
      write('short.onnx', mlp(2, 1).subarray(0, 100));
      write('page.onnx', '<html></html>');
      await refuses(command('short.onnx'), place.folder, { says: /short\.onnx: not an ONNX.*100/ });
      await refuses(command('page.onnx'), place.folder, { says: /page\.onnx: not an ONNX model/ });
      await refuses(command('gone.onnx'), place.folder, { says: /cannot read gone\.onnx/ });
    });
  }

  it('is refused with the operator named that keeps a parameter from training', async () => {
    const block: FixtureNode = ['Mystery', ['h'], 'y', {}, 'com.example'];
    write('mystery.onnx', model(['MatMul', ['x', 'w'], 'h'], block));
    const args = train('--target', 'a,b').with(2, 'mystery.onnx');
    await refuses(args, place.folder, { says: /make y \(Mystery, domain com\.example.*freeze/ });
  });

  it('trains where such an operator stands off the path', async () => {
    const branch: readonly FixtureNode[] = [
      ['MatMul', ['x', 'frozen'], 'f'],
      ['MatMul', ['x', 'w'], 'h'],
      ['Hardmax', ['f'], 'c'],
      ['Add', ['h', 'c'], 'y'],
    ];
    write('branch.onnx', model(...branch));
    const args = train('--target', 'a,b', '--freeze', 'frozen').with(2, 'branch.onnx');
    const { code, complaint } = await runDiten(args, place.folder);
    assertRan(code, complaint);
  });

  it('is refused where its weights are quantised', async () => {
    const quantised: readonly FixtureNode[] = [
      ['MatMul', ['x', 'w'], 'h'],
      ['QuantizeLinear', ['h', 'scale'], 'q'],
      ['DequantizeLinear', ['q', 'scale'], 'y'],
    ];
    write(
      'quantised.onnx',
      buildModel({
        nodes: quantised,
        initialisers: [
          randomTensor('w', [2, 2], { seed: 1, type }),
          randomTensor('scale', [], { seed: 3, type }),
        ],
        inputs: [port('x', [null, 2], type)],
        outputs: [port('y', [null, 2], type)],
      }),
    );
    const args = train('--target', 'a,b').with(2, 'quantised.onnx');
    await refuses(args, place.folder, { says: /DequantizeLinear.*before quantisation/ });
  });

  it('is told to be float32 where the runtime lacks an operator for float64', async () => {
    const wide = dataType.float64;
    write(
      'wide.onnx',
      buildModel({
        nodes: [
          ['MatMul', ['x', 'w'], 'h'],
          ['Erf', ['h'], 'e'],
          ['ReduceMax', ['e', 'axes'], 'y', { keepdims: { int: 1 } }],
        ],
        initialisers: [
          randomTensor('w', [2, 2], { seed: 1, type: wide }),
          int64Tensor('axes', [1], [1]),
        ],
        inputs: [port('x', [null, 2], wide)],
        outputs: [port('y', [null, 1], wide)],
      }),
    );
    await refuses(commands.graph('wide.onnx'), place.folder, { says: /export it in float32/ });
  });

  it('is refused where nothing in it trains', async () => {
    write('relu.onnx', model(['Relu', ['x'], 'y']));
    const args = train('--target', 'a,b').with(2, 'relu.onnx');
    await refuses(args, place.folder, { says: /relu\.onnx: .*no float parameter/ });
  });

  it('takes weights from the file beside it, and is refused without that file', async () => {
    write('beside.onnx', withExternalWeights(mlp(2, 1), 'weights.bin'));
    await refuses(train().with(2, 'beside.onnx'), place.folder, {
      says: /layer1\.weight lie in weights\.bin, which is missing/,
    });
    write('weights.bin', externalWeights(mlp(2, 1)));
    const { code, complaint } = await runDiten(train().with(2, 'beside.onnx'), place.folder);
    assertRan(code, complaint);
  });
});

describe('data that are no good', () => {
  const cases: readonly [what: string, says: RegExp, args: string[]][] = [
    ['a column that is not there', /good\.csv:1: there is no column c;/, ['--features', 'a,c']],
    ['a window beyond the record', /40 rows for the window of 50/, ['--window', '50']],
    ['a window the model does not take', /x float32 \[n, 2\] does not take 3/, ['--window', '3']],
    ['more targets than outputs', /y float32 \[n, 1\] does not fit 2 target/, ['--target', 'a,b']],
    ['no row that fits', /good\.csv has no row with label=7/, ['--where', 'label=7']],
    ['no file', /cannot read gone\.csv/, ['--data', 'gone.csv']],
    ['a parameter that is not there', /cannot freeze w/, ['--freeze', 'w']],
  ];
  for (const [what, says, args] of cases) {
    it(`are refused: ${what}`, () => refuses(train(...args), place.folder, { says }));
  }

  it('are refused with the line of what is no number', async () => {
    csv('text.csv', { 4: '4,warm,0' });
    csv('nan.csv', { 6: 'NaN,1,0' });
    csv('empty.csv', { 7: '7,,0' });
    csv('ragged.csv', { 8: '7,0' });
    const lines = {
      'text.csv': /text\.csv:6: column b holds "warm"/,
      'nan.csv': /nan\.csv:8: .*a/,
    };
    const others = { 'empty.csv': /empty\.csv:9: .*b/, 'ragged.csv': /ragged\.csv:10: 2 fields/ };
    for (const [file, says] of Object.entries({ ...lines, ...others })) {
      await refuses(train('--data', file), place.folder, { says });
    }
  });

  it('are refused where a target is of no class, with the line', async () => {
    write('classes.onnx', mlp(2, 3));
    csv('class.csv', { 10: '10,1,3' });
    csv('fraction.csv', { 11: '10,1,0.5' });
    const args = train('--target', 'label', '--loss', 'cross-entropy').with(2, 'classes.onnx');
    await refuses([...args, '--data', 'class.csv'], place.folder, {
      says: /class\.csv:12: column label holds 3, where a class from 0 to 2 is due/,
    });
    await refuses([...args, '--data', 'fraction.csv'], place.folder, {
      says: /fraction\.csv:13: column label holds 0\.5, where a class id is due/,
    });
  });

  it('are said to be sorted where classes are held out that were never seen', async () => {
    write('classes.onnx', mlp(2, 3));
    csv('sorted.csv', { 39: '39,0,2' });
    const labels = ['--target', 'label', '--loss', 'cross-entropy', '--data', 'sorted.csv'];
    const args = train(...labels).with(2, 'classes.onnx');
    const sorted = await runDiten(args, place.folder);
    assert.match(sorted.out, /only held-out examples are of class 2; consider --split random/);
  });

  it('are used as one batch where the batch is larger', async () => {
    const { code, out, complaint } = await runDiten(train('--batch', '1000'), place.folder);
    assertRan(code, complaint);
    assert.match(out, /a batch of 1000 is more than all examples: it takes 31/);
  });

  it('make no model where the loss runs away', async () => {
    const args = train('--loss', 'mse', '--optimiser', 'sgd', '--rate', '1e30', '-o', 'no.onnx');
    const ran = await runDiten([...args, '--batch', '4', '-o', 'no.onnx'], place.folder);
    assert.match(ran.complaint, /^diten: mlp\.onnx: .*give a smaller --rate \[diverged\]$/m);
    assert.equal(ran.code, 1);
    assert.throws(() => readFileSync(place.path('no.onnx')));
  });
});

describe('test data that are no good', () => {
  const x: TensorValues = { name: 'x', shape: [3, 2], data: new Float32Array(6) };
  const target: TensorValues = { name: 't', shape: [3, 1], data: new Float32Array(3) };

  const gradients = (loss: string) => {
    const folders = ['--data', '.', '--out', 'gradients'];
    return ['model', 'gradients', 'mlp.onnx', ...folders, '--loss', loss];
  };

  async function refusesTensors(
    tensors: { readonly x?: TensorValues; readonly target?: TensorValues },
    says: RegExp,
    loss = 'mse',
  ): Promise<void> {
    write('input_0.pb', encodeTensorFile(tensors.x ?? x));
    write('target_0.pb', encodeTensorFile(tensors.target ?? target));
    await refuses(gradients(loss), place.folder, { says });
  }

  it('are refused: a target of another shape or type', async () => {
    const long = { ...target, shape: [3, 2], data: new Float32Array(6) };
    await refusesTensors({ target: long }, /target_0\.pb is float32 \[3, 2\], where .*\[n, 1\]/);
    const double = { ...target, data: new Float64Array(3) };
    await refusesTensors({ target: double }, /target_0\.pb is float64 \[3, 1\], where .*float32/);
  });

  it('are refused: inputs of other shape, or of other rows than the target', async () => {
    const wide = { ...x, shape: [2, 3] };
    await refusesTensors({ x: wide }, /input_0\.pb is float32 \[2, 3\], where x float32 \[n, 2\]/);
    const few = { ...x, shape: [2, 2], data: new Float32Array(4) };
    await refusesTensors({ x: few }, /input_0\.pb has 2 examples, the target has 3/);
  });

  it('are refused: an index outside of its table, with what the runtime says', async () => {
    const table = buildModel({
      nodes: [
        ['Gather', ['w', 'x'], 'rows'],
        ['Squeeze', ['rows', 'axes'], 'y'],
      ],
      initialisers: [randomTensor('w', [2, 2], { seed: 1, type }), int64Tensor('axes', [1], [1])],
      inputs: [port('x', [null, 1], dataType.int64)],
      outputs: [port('y', [null, 2], type)],
    });
    write('table.onnx', table);
    write('input_0.pb', encodeTensorFile({ name: 'x', shape: [1, 1], data: BigInt64Array.of(9n) }));
    write('target_0.pb', encodeTensorFile({ name: 't', shape: [1, 2], data: new Float32Array(2) }));
    const args = gradients('mse').with(2, 'table.onnx');
    await refuses(args, place.folder, { says: /table\.onnx: cannot run .*\[model-failed\]/ });
  });

  it('are refused: not a number, no class, no tensor', async () => {
    const hole = { ...x, data: Float32Array.of(0, 0, Number.NaN, 0, 0, 0) };
    await refusesTensors({ x: hole }, /input_0\.pb holds NaN as value 2/);
    const ids = { name: 't', shape: [3], data: BigInt64Array.of(0n, 1n, 0n) };
    await refusesTensors(
      { target: ids },
      /value 1 is class 1, the model knows 0 to 0/,
      'cross-entropy',
    );
    write('target_0.pb', encodeTensorFile(target).subarray(0, 20));
    await refuses(gradients('mse'), place.folder, { says: /target_0\.pb: not a TensorProto/ });
  });
});

describe('what cannot be made or written', () => {
  it('is a model too large for the compiler', async () => {
    const args = ['model', 'new', 'mlp', '--in', '99999999', '--out', '99999999'];
    await refuses(args, place.folder, { code: 2, says: /model-too-large/ });
    const wide = ['model', 'new', 'gru', '--in', '2', '--out', '1', '--hidden', '9999999'];
    await refuses(wide, place.folder, { code: 2, says: /more than 536870912; give smaller/ });
  });

  it('is known before it trains, not after', async () => {
    for (const option of ['-o', '--json']) {
      const { code, out, complaint } = await runDiten(
        train(option, join('gone', 'file')),
        place.folder,
      );
      assert.match(complaint, /^diten: cannot write gone[^\n]+\[file-unwritable\]\n$/);
      assert.deepEqual({ code, out }, { code: 1, out: '' });
    }
  });

  it('is a folder of gradients where a file is', async () => {
    write('input_0.pb', encodeTensorFile({ name: 'x', shape: [1, 2], data: new Float32Array(2) }));
    write('target_0.pb', encodeTensorFile({ name: 't', shape: [1, 1], data: new Float32Array(1) }));
    const args = ['--data', '.', '--loss', 'mse', '--out', 'good.csv'];
    await refuses(['model', 'gradients', 'mlp.onnx', ...args], place.folder, {
      says: /cannot write good\.csv/,
    });
  });
});

describe('wrong usage', () => {
  const cases: readonly string[][] = [
    ['model'],
    ['model', 'new', 'mlp', '--in', '0', '--out', '1'],
    ['model', 'new', 'mlp', '--in', '2'],
    ['model', 'new', 'transformer', '--in', '2', '--out', '1'],
    ['model', 'new', 'gru', '--in', '2', '--out', '1', '--activation', 'tanh'],
    ['model', 'graph', 'mlp.onnx', '--artefact', 'weights', '-o', 'w.onnx'],
    train('--loss', 'hinge'),
    train('--held-out', '1'),
    train('--features', 'a,,b'),
    ['bench', 'training', '--models', 'gpt'],
  ];
  for (const args of cases) {
    it(`ends with exit code 2: ${args.join(' ')}`, async () => {
      assert.equal((await runDiten(args, place.folder)).code, 2);
    });
  }
});

/** The model with its float weights in a file of that name. */
function withExternalWeights(bytes: Uint8Array, location: string): Uint8Array {
  const { model: decoded, tensors } = weightsOf(bytes);
  let offset = 0;
  for (const tensor of tensors) {
    const length = tensor.rawData!.length;
    tensor.externalData = Object.entries({ location, offset, length }).map(([key, value]) => ({
      key,
      value: `${value}`,
    }));
    tensor.dataLocation = TensorProto.DataLocation.EXTERNAL;
    tensor.rawData = new Uint8Array(0);
    offset += length;
  }
  return encodeModel(decoded);
}

function externalWeights(bytes: Uint8Array): Uint8Array {
  return Buffer.concat(weightsOf(bytes).tensors.map(({ rawData }) => rawData!));
}

function weightsOf(bytes: Uint8Array) {
  const decoded = decodeModel(bytes);
  assert.ok(decoded.ok);
  const tensors = (decoded.value.graph?.initializer ?? []) as TensorProto[];
  return { model: decoded.value, tensors };
}

function assertRan(code: number, complaint: string): void {
  assert.doesNotMatch(complaint, /diten:/);
  assert.equal(code, 0);
}
