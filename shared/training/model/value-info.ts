import { ValueInfoProto } from './onnx-proto.ts';
import type { Port, Shape } from './shape.ts';

/** Reads a graph's input or output; `undefined` where it is not a tensor of stated rank. */
export function valueInfoToPort(info: ValueInfoProto): Port | undefined {
  const tensor = info.type?.tensorType;
  if (!tensor?.shape) return undefined;
  const shape: Shape = (tensor.shape.dim ?? []).map(({ dimValue }) =>
    dimValue === null || dimValue === undefined ? null : Number(dimValue),
  );
  return { name: info.name, type: tensor.elemType ?? 0, shape };
}

/** Writes one; a dimension that varies gets no name, since nothing says which ones go together. */
export function portToValueInfo({ name, type, shape }: Port): ValueInfoProto {
  return ValueInfoProto.create({
    name,
    type: {
      tensorType: {
        elemType: type,
        shape: { dim: shape.map((dimension) => (dimension === null ? {} : dimValue(dimension))) },
      },
    },
  });
}

function dimValue(dimension: number): { dimValue: number } {
  return { dimValue: dimension };
}
