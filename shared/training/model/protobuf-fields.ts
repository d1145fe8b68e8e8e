/**
 * The length-delimited fields of a protobuf message, by number (protobuf.dev, Encoding). Throws
 * where the bytes are not protobuf.
 */
export function lengthDelimited(bytes: Uint8Array): Map<number, Uint8Array[]> {
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
