import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeCanonical } from './canonical.ts';
import { decodeTensors, encodeTensors } from './tensor.ts';

describe('tensors', () => {
  it('come back bit for bit', () => {
    fc.assert(
      fc.property(fc.float32Array({ noNaN: true, noDefaultInfinity: true }), (values) => {
        const data = new Float32Array(values);
        const decoded = decodeTensors(encodeTensors([{ name: 'w', shape: [data.length], data }]));
        assert.ok(decoded.ok);
        assert.deepEqual(decoded.value[0]?.data, data);
      }),
    );
  });

  const good = encodeTensors([{ name: 'w', shape: [1, 2], data: Float32Array.of(1, 2) }]);
  for (const [name, bytes] of [
    ['truncated bytes', good.subarray(0, good.length - 1)],
    ['a foreign document', encodeCanonical({ v: 1 })],
    ['a newer version', encodeCanonical({ v: 2, tensors: [] })],
    ['a wrong length', encodeCanonical({ v: 1, tensors: [['w', [3], new Uint8Array(8)]] })],
    ['NaN', encodeTensors([{ name: 'w', shape: [1], data: Float32Array.of(Number.NaN) }])],
  ] as const) {
    it(`refuse ${name}`, () => {
      const decoded = decodeTensors(bytes);
      assert.ok(!decoded.ok && decoded.error.code === 'tensor-invalid');
    });
  }
});
