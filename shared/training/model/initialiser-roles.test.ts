import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { compileTraining } from '../compile-training.ts';
import { inspectModel } from '../inspect-model.ts';
import { probedShapes } from '../probed-shapes.fixture.ts';
import { decodeModel, encodeModel } from './onnx-proto.ts';

function exported(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../goldens/models/${name}.onnx`, import.meta.url)));
}

/** PyTorch's gradients are of its parameters: their names. */
function parametersOf(name: string): string[] {
  const file = new URL(`../goldens/models/${name}.json`, import.meta.url);
  const { gradients } = JSON.parse(readFileSync(file, 'utf8')) as { gradients: object };
  return Object.keys(gradients).sort();
}

async function trainedNames(model: Uint8Array): Promise<string[]> {
  const shapes = await probedShapes(new Uint8Array(model));
  const graphs = compileTraining(model, { loss: 'mse', optimiser: { kind: 'sgd' }, shapes });
  assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
  return graphs.value.manifest.parameters.map(({ name }) => name).sort();
}

function withoutNotes(model: Uint8Array): Uint8Array {
  const decoded = decodeModel(model);
  assert.ok(decoded.ok);
  return encodeModel(decoded.value);
}

function suspects(model: Uint8Array): string[] {
  const inspection = inspectModel(model);
  assert.ok(inspection.ok);
  return inspection.value.parameters.filter(({ isSuspect }) => isSuspect).map(({ name }) => name);
}

describe('constants that PyTorch writes as initialisers', () => {
  it('do not train where the exporter notes what is what, and every parameter does', async () => {
    const model = exported('scales');
    const parameters = parametersOf('scales');
    // A scalar, one of one value, one of one value in three dimensions, one folded.
    for (const name of ['level', 'scale', 'val_61', 'val_1']) assert.ok(parameters.includes(name));
    assert.deepEqual(await trainedNames(model), parameters);
    assert.deepEqual(suspects(model), []);
  });

  it('train where the notes are lost, and are named as suspect', async () => {
    const bare = withoutNotes(exported('scales'));
    const trained = await trainedNames(bare);
    assert.ok(['val_46', 'offset', 'clone'].every((name) => trained.includes(name)));
    assert.deepEqual(suspects(bare), ['val_46', 'val_61']);
    assert.deepEqual(suspects(exported('block-opset18')), ['val_65']);
  });

  it('are none in files without any', () => {
    for (const name of ['mlp', 'cnn', 'residual', 'residual-batch', 'lstm', 'encoder', 'gru']) {
      assert.deepEqual(suspects(exported(name)), [], name);
    }
  });
});
