import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileTraining } from '../compile-training.ts';
import { buildModel, port, randomTensor } from '../model-fixture.ts';
import { dataType } from './onnx-proto.ts';

const type = dataType.float32;

/** y = (x w + b) w' + b', of which one or more are written as the Identity of another. */
function parametersOf(nodes: Parameters<typeof buildModel>[0]['nodes'], output = 'y'): string[] {
  const compiled = compileTraining(
    buildModel({
      nodes,
      initialisers: [
        randomTensor('w', [3, 3], { seed: 1, type }),
        randomTensor('b', [3], { seed: 2, type }),
      ],
      inputs: [port('x', [null, 3], type)],
      outputs: [port(output, [null, 3], type)],
    }),
    { loss: 'mse', optimiser: { kind: 'sgd' } },
  );
  assert.ok(compiled.ok, compiled.ok ? '' : compiled.error.message);
  const written = compiled.value.writeBack(compiled.value.manifest.parameters);
  assert.ok(written.ok);
  return compiled.value.manifest.parameters.map(({ name }) => name).sort();
}

describe('initialisers written as one', () => {
  it('train each for itself', () => {
    assert.deepEqual(
      parametersOf([
        ['Identity', ['w'], 'w2'],
        ['Identity', ['b'], 'b2'],
        ['Identity', ['b2'], 'b3'],
        ['Gemm', ['x', 'w', 'b'], 'h'],
        ['Gemm', ['h', 'w2', 'b3'], 'y'],
      ]),
      ['b', 'b3', 'w', 'w2'],
    );
  });

  it('are one where the model uses one name', () => {
    assert.deepEqual(
      parametersOf([
        ['Gemm', ['x', 'w', 'b'], 'h'],
        ['Gemm', ['h', 'w', 'b'], 'y'],
      ]),
      ['b', 'w'],
    );
  });
});
