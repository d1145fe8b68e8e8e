import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { compileTraining } from '../compile-training.ts';
import { buildModel, port } from '../model-fixture.ts';
import { dataType, encodeModel, ModelProto, TensorProto } from './onnx-proto.ts';
import { floatTensor, int64Tensor } from './onnx-tensor.ts';
import { readSourceGraph } from './source-graph.ts';

const type = dataType.float32;
const values = floatTensor('w', [2], { type, data: [5, 7] });
/** w [3, 2] = [[0, 5], [0, 0], [7, 0]] */
const dense = [0, 5, 0, 0, 7, 0];
const flatIndices = int64Tensor('', [2], [1, 4]);

interface Sparse {
  readonly values?: TensorProto;
  readonly indices?: TensorProto;
  readonly dims?: readonly number[];
}

/** x [batch, 3] -> y = x w [batch, 2]. */
function model(sparse: Sparse): Uint8Array<ArrayBuffer> {
  const decoded = ModelProto.decode(
    buildModel({
      nodes: [['MatMul', ['x', 'w'], 'y']],
      initialisers: [],
      inputs: [port('x', [null, 3], type)],
      outputs: [port('y', [null, 2], type)],
    }),
  );
  const { dims = [3, 2], ...others } = sparse;
  const tensor = { values, indices: flatIndices, ...others, dims: [...dims] };
  decoded.graph!.sparseInitializer = [tensor];
  return encodeModel(decoded);
}

function refusalOf(sparse: Sparse): string | undefined {
  const read = readSourceGraph(model(sparse));
  return read.ok ? undefined : read.error.code;
}

describe('sparse initialisers', () => {
  const pairs = int64Tensor('', [2, 2], [0, 1, 2, 0]);
  const listed = TensorProto.create({ dims: [2], dataType: dataType.int64, int64Data: [1, 4] });
  const plain = TensorProto.create({ name: 'w', dims: [2], dataType: type, floatData: [5, 7] });
  for (const [title, sparse] of Object.entries({
    'flat indices': {},
    'an index for each axis': { indices: pairs },
    'their numbers listed': { indices: listed, values: plain },
  })) {
    it(`become parameters of every element: ${title}`, () => {
      const graphs = compileTraining(model(sparse), { loss: 'mse', optimiser: { kind: 'sgd' } });
      assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
      assert.deepEqual(graphs.value.manifest.parameters, [
        { name: 'w', shape: [3, 2], data: Float32Array.from(dense) },
      ]);
    });
  }

  it('are written back dense', async () => {
    const graphs = compileTraining(model({}), { loss: 'mse', optimiser: { kind: 'sgd' } });
    assert.ok(graphs.ok);
    const written = graphs.value.writeBack(graphs.value.manifest.parameters);
    assert.ok(written.ok);
    assert.deepEqual(ModelProto.decode(written.value).graph?.sparseInitializer, []);
    const x = { shape: [1, 3], data: Float32Array.of(1, 2, 3) };
    for (const bytes of [model({}), written.value]) {
      await using session = await nodeOnnxRuntime.load(bytes);
      assert.deepEqual((await session.run({ x })).y?.data, Float32Array.of(21, 5));
    }
  });

  it('are refused where values and indices do not fit', () => {
    assert.equal(refusalOf({}), undefined);
    for (const sparse of [
      { indices: int64Tensor('', [2], [1, 6]) },
      { indices: int64Tensor('', [2], [-1, 4]) },
      { indices: int64Tensor('', [1], [1]) },
      { indices: floatTensor('', [3], { type, data: [1, 4, 0] }) },
      {
        values: TensorProto.create({
          name: 'w',
          dims: [2],
          dataType: 10,
          rawData: new Uint8Array(4),
        }),
      },
    ]) {
      assert.equal(refusalOf(sparse), 'model-invalid');
    }
    assert.equal(refusalOf({ dims: [2 ** 20, 2 ** 20] }), 'model-too-large');
    const away = TensorProto.create({ name: 'w', dims: [2], dataType: type, dataLocation: 1 });
    assert.equal(refusalOf({ values: away }), 'external-data');
  });
});
