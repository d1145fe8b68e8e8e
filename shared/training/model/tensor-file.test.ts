import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TensorProto } from './onnx-proto.ts';
import { decodeTensorFile, encodeTensorFile, type TensorValues } from './tensor-file.ts';

const tensors: readonly TensorValues[] = [
  { name: 'floats', shape: [2, 2], data: Float32Array.of(1, -2, 0.5, 1e-30) },
  { name: 'doubles', shape: [], data: Float64Array.of(Math.PI) },
  { name: 'longs', shape: [3], data: BigInt64Array.of(-1n, 0n, 2n ** 53n + 1n) },
  { name: 'ints', shape: [1, 2], data: Int32Array.of(-7, 7) },
  { name: 'none', shape: [0, 4], data: new Float32Array(0) },
];

describe('a tensor file', () => {
  for (const tensor of tensors) {
    it(`gives back what was put in: ${tensor.name}`, () => {
      const bytes = encodeTensorFile(tensor);
      assert.deepEqual(decodeTensorFile(bytes), { ok: true, value: tensor });
    });
  }

  it('is read where the values are listed rather than raw', () => {
    const listed = [
      { dataType: 1, floatData: [1.5, 2] },
      { dataType: 11, doubleData: [1.5, 2] },
      { dataType: 7, int64Data: [1, 2] },
      { dataType: 6, int32Data: [1, 2] },
    ];
    for (const fields of listed) {
      const bytes = TensorProto.encode(TensorProto.create({ dims: [2], ...fields })).finish();
      const decoded = decodeTensorFile(bytes);
      assert.ok(decoded.ok);
      assert.equal(Number(decoded.value.data[1]), 2);
    }
  });

  it('is refused where it is cut short, no tensor, of another type or does not fit', () => {
    const bytes = encodeTensorFile(tensors[0]!);
    const codeOf = (file: Uint8Array): string => {
      const decoded = decodeTensorFile(file);
      assert.ok(!decoded.ok);
      return decoded.error.code;
    };
    for (let length = 0; length < bytes.length; length++) {
      assert.match(codeOf(bytes.subarray(0, length)), /^(not-a-tensor|tensor-(invalid|type))$/);
    }
    assert.equal(codeOf(new TextEncoder().encode('<html>')), 'not-a-tensor');
    const bool = TensorProto.create({ dims: [1], dataType: 9, int32Data: [1] });
    assert.equal(codeOf(TensorProto.encode(bool).finish()), 'tensor-type');
    const short = TensorProto.create({ dims: [2], dataType: 1, rawData: new Uint8Array(5) });
    assert.equal(codeOf(TensorProto.encode(short).finish()), 'tensor-invalid');
  });
});
