import { AttributeProto, dataType, type NodeProto, type TensorProto } from './onnx-proto.ts';
import { floatTensor, int64Tensor } from './onnx-tensor.ts';

const { INT, FLOAT, INTS, FLOATS, TENSOR } = AttributeProto.AttributeType;

/** What a Constant node gives, in whichever attribute it says so; `undefined` for text or else. */
export function constantNodeValue({ attribute }: NodeProto): TensorProto | undefined {
  const { type, i, f, ints, floats, t } = (attribute?.[0] ?? {}) as Partial<AttributeProto>;
  switch (type) {
    case TENSOR:
      return t as TensorProto;
    case INT:
      return int64Tensor('', [], [Number(i)]);
    case INTS:
      return int64Tensor('', [ints!.length], ints!.map(Number));
    case FLOAT:
      return floatTensor('', [], { type: dataType.float32, data: [f!] });
    case FLOATS:
      return floatTensor('', [floats!.length], { type: dataType.float32, data: floats! });
    default:
      return undefined;
  }
}
