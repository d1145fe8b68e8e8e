import { z } from 'zod';
import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import { decodeCbor, encodeCanonical } from './canonical.ts';

/** A named float32 tensor, row-major: `data.length` is the product of `shape`. */
export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

const tensorSetSchema = z.strictObject({
  v: z.literal(1),
  tensors: z.array(
    z.tuple([
      z.string().min(1).max(512),
      z.array(z.int().nonnegative()).max(16),
      z.instanceof(Uint8Array),
    ]),
  ),
});

/**
 * The bytes that carry a model's parameters and that its digest is taken of: canonical CBOR
 * `{v, tensors: [[name, shape, float32 little-endian bytes]]}`, in the order given.
 */
export function encodeTensors(tensors: readonly NamedTensor[]): Uint8Array<ArrayBuffer> {
  return encodeCanonical({
    v: 1,
    tensors: tensors.map(({ name, shape, data }) => [name, shape, littleEndianBytes(data)]),
  });
}

/** Inverse of {@link encodeTensors}; refuses wrong lengths and values that are not finite. */
export function decodeTensors(bytes: Uint8Array): Result<NamedTensor[], Failure<'tensor-invalid'>> {
  const decoded = decodeCbor(bytes);
  if (!decoded.ok) return fail('tensor-invalid', decoded.error.message);
  const parsed = tensorSetSchema.safeParse(decoded.value);
  if (!parsed.success) {
    return fail('tensor-invalid', `not a set of tensors: ${parsed.error.issues[0]?.message}`);
  }
  const tensors: NamedTensor[] = [];
  for (const [name, shape, raw] of parsed.data.tensors) {
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    if (raw.length !== 4 * size) {
      return fail(
        'tensor-invalid',
        `tensor ${name}: ${raw.length} bytes, its shape has ${4 * size}`,
      );
    }
    const data = float32FromBytes(raw);
    if (!data.every(Number.isFinite)) {
      return fail('tensor-invalid', `tensor ${name}: holds a value that is not finite`);
    }
    tensors.push({ name, shape, data });
  }
  return ok(tensors);
}

// Every platform the runtime has prebuilt parts for (x86-64, arm64) is little-endian.
function littleEndianBytes(data: Float32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function float32FromBytes(raw: Uint8Array): Float32Array<ArrayBuffer> {
  const data = new Float32Array(raw.length / 4);
  new Uint8Array(data.buffer).set(raw);
  return data;
}
