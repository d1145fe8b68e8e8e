import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMlpModel } from '../mlp-model.ts';
import { embedExternalData } from './external-data.ts';
import { decodeModel, encodeModel, TensorProto } from './onnx-proto.ts';
import { readSourceGraph } from './source-graph.ts';

const inside = createMlpModel({ inputs: 2, hidden: [], outputs: 2, seed: 1 });

/** The weight of the model that {@link embedExternalData} makes. */
function embeddedWeight(model: Uint8Array, readFile: (name: string) => Uint8Array | undefined) {
  const embedded = embedExternalData(model, readFile);
  assert.ok(embedded.ok);
  const read = readSourceGraph(embedded.value);
  assert.ok(read.ok);
  return read.value.initialisers.get('layer1.weight')!.rawData;
}

/** The model with its first weight, of 16 bytes, in a file. */
function withWeightIn(entries: Readonly<Record<string, string>>) {
  const decoded = decodeModel(inside);
  assert.ok(decoded.ok);
  const tensor = decoded.value.graph!.initializer![0] as TensorProto;
  const weight = tensor.rawData!;
  tensor.rawData = new Uint8Array(0);
  tensor.externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  tensor.dataLocation = TensorProto.DataLocation.EXTERNAL;
  return { model: encodeModel(decoded.value), weight };
}

describe('weights in a file beside the model', () => {
  const place = { location: 'w.bin', offset: '3', length: '16' };

  it('are put into the model', () => {
    const { model, weight } = withWeightIn(place);
    const file = Uint8Array.of(1, 2, 3, ...weight, 4);
    const embedded = embeddedWeight(model, (name) => (name === 'w.bin' ? file : undefined));
    assert.deepEqual(embedded, weight);
  });

  it('go to the end of the file unless a length is given', () => {
    const { model, weight } = withWeightIn({ location: 'w.bin' });
    assert.deepEqual(
      embeddedWeight(model, () => weight),
      weight,
    );
  });

  it('leave a model without them as it is', () => {
    const embedded = embedExternalData(inside, () => assert.fail('there is nothing to read'));
    assert.ok(embedded.ok && embedded.value === inside);
  });

  it('are refused where the file is missing or too short', () => {
    const { model } = withWeightIn(place);
    for (const file of [undefined, new Uint8Array(18)]) {
      const embedded = embedExternalData(model, () => file);
      assert.ok(!embedded.ok && embedded.error.code === 'external-data');
    }
  });

  for (const location of ['/etc/passwd', '../w.bin', 'a/../../w', 'C:\\w', '..\\w.bin', '']) {
    it(`are refused outside the model's folder: ${location}`, () => {
      const { model } = withWeightIn({ ...place, location });
      const embedded = embedExternalData(model, () => assert.fail('it must not be read'));
      assert.ok(!embedded.ok && embedded.error.code === 'external-data');
    });
  }
});
