import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import { dataType, TensorProto } from './onnx-proto.ts';
import { shapeSize, tensorShape } from './onnx-tensor.ts';

/** A tensor as ONNX's test data keep it, one TensorProto to a file. */
export interface TensorValues {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data:
    | Float32Array<ArrayBuffer>
    | Float64Array<ArrayBuffer>
    | BigInt64Array<ArrayBuffer>
    | Int32Array<ArrayBuffer>;
}

type TensorFileFailure = Failure<'not-a-tensor' | 'tensor-invalid' | 'tensor-type'>;

/**
 * Reads a `.pb` file of ONNX's test data: a TensorProto of float, double, int32 or int64.
 *
 * Errors: `not-a-tensor` (also for bytes cut short), `tensor-invalid`, `tensor-type`.
 */
export function decodeTensorFile(bytes: Uint8Array): Result<TensorValues, TensorFileFailure> {
  try {
    return tensorValues(TensorProto.decode(bytes));
  } catch (cause) {
    const detail = `${bytes.length} bytes, ${(cause as Error).message}`;
    return fail('not-a-tensor', `not a TensorProto, or one cut short (${detail})`);
  }
}

/** The bytes of such a file; the same tensor gives the same bytes. */
export function encodeTensorFile({ name, shape, data }: TensorValues): Uint8Array<ArrayBuffer> {
  const tensor = TensorProto.create({
    name,
    dims: [...shape],
    dataType: typeOfArray(data),
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  });
  return new Uint8Array(TensorProto.encode(tensor).finish());
}

/** The values of a tensor in its own type. Errors: `tensor-invalid`, `tensor-type`. */
export function tensorValues(tensor: TensorProto): Result<TensorValues, TensorFileFailure> {
  const arrays = arrayTypes[tensor.dataType];
  if (arrays === undefined) {
    return fail(
      'tensor-type',
      `element type ${tensor.dataType} is not float, double, int32 or int64; convert the tensor`,
    );
  }
  const { name } = tensor;
  const shape = tensorShape(tensor);
  const size = shapeSize(shape);
  const raw = tensor.rawData ?? new Uint8Array(0);
  const listed = arrays.listed(tensor);
  const data = raw.length > 0 ? arrays.fromRaw(raw) : listed;
  if (data?.length === size) return ok({ name, shape, data });
  const found = raw.length > 0 ? `${raw.length} bytes` : `${listed.length} values`;
  return fail('tensor-invalid', `${found} do not fit the shape [${shape}]; write the file again`);
}

/** TensorProto.DataType of an array. */
export function typeOfArray(data: TensorValues['data']): number {
  if (data instanceof Float32Array) return dataType.float32;
  if (data instanceof Float64Array) return dataType.float64;
  return data instanceof BigInt64Array ? dataType.int64 : INT32;
}

const INT32 = 6;

interface ArrayType {
  listed(tensor: TensorProto): TensorValues['data'];
  /** `undefined` where the bytes are not a whole number of elements. */
  fromRaw(raw: Uint8Array): TensorValues['data'] | undefined;
}

const arrayTypes: Readonly<Record<number, ArrayType>> = {
  [dataType.float32]: {
    listed: ({ floatData }) => Float32Array.from(floatData),
    fromRaw: rawReader(Float32Array),
  },
  [dataType.float64]: {
    listed: ({ doubleData }) => Float64Array.from(doubleData),
    fromRaw: rawReader(Float64Array),
  },
  [dataType.int64]: {
    listed: ({ int64Data }) => BigInt64Array.from(int64Data, (value) => BigInt(value.toString())),
    fromRaw: rawReader(BigInt64Array),
  },
  [INT32]: {
    listed: ({ int32Data }) => Int32Array.from(int32Data),
    fromRaw: rawReader(Int32Array),
  },
};

/** Copies, since the raw bytes lie at any offset in the file. */
function rawReader<Values extends TensorValues['data']>(type: {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): Values;
}): ArrayType['fromRaw'] {
  return (raw) =>
    raw.length % type.BYTES_PER_ELEMENT === 0 ? new type(new Uint8Array(raw).buffer) : undefined;
}
