import { AttributeProto } from './onnx-proto.ts';

/** Numbers of the fields of onnx.proto that lead to a function's default attributes. */
const field = { modelFunctions: 25, functionName: 1, functionDomain: 10, functionDefaults: 11 };

/**
 * The default attributes of a model's functions, by `domain:name`. The message classes know an
 * onnx.proto older than IR version 9 and drop these, so they are read from the bytes here. Throws
 * where they are not protobuf.
 */
export function functionDefaults(bytes: Uint8Array): Map<string, AttributeProto[]> {
  const defaults = new Map<string, AttributeProto[]>();
  const text = (parts: Uint8Array[] = []) => new TextDecoder().decode(parts.at(-1));
  for (const body of lengthDelimited(bytes).get(field.modelFunctions) ?? []) {
    const fields = lengthDelimited(body);
    const key = `${text(fields.get(field.functionDomain))}:${text(fields.get(field.functionName))}`;
    const attributes = fields.get(field.functionDefaults) ?? [];
    defaults.set(
      key,
      attributes.map((attribute) => AttributeProto.decode(attribute)),
    );
  }
  return defaults;
}

/** The length-delimited fields of a protobuf message, by number (protobuf.dev, Encoding). */
function lengthDelimited(bytes: Uint8Array): Map<number, Uint8Array[]> {
  const fields = new Map<number, Uint8Array[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const wireType = tag & 7;
    if (wireType === 0) varint();
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === 2) {
      const number = Math.floor(tag / 8);
      const end = varint() + at;
      const found = fields.get(number) ?? [];
      found.push(bytes.subarray(at, end));
      fields.set(number, found);
      at = end;
    } else throw new Error(`wire type ${wireType} is none of onnx.proto's`);
  }
  return fields;
}
