import { AttributeProto } from './onnx-proto.ts';
import { lengthDelimited } from './protobuf-fields.ts';

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
