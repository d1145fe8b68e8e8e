import { type Attributes, attributesToProto } from './attributes.ts';
import { NodeProto } from './onnx-proto.ts';

/**
 * The oldest operator set that training graphs are written in: from here on ScatterElements and
 * ScatterND can add, and CastLike exists. Between 13 and it the operators only gained attributes
 * and types (ONNX, Changelog), but for `oldDefaults`.
 */
export const emittedOpsetMin = 16;

/** What operators did before and do now only where told. */
const oldDefaults: Readonly<Record<string, Attributes>> = {
  RoiAlign: { coordinate_transformation_mode: { string: 'output_half_pixel' } },
};

/** A node of a model of operator set `opset`, as it is written in a training graph. */
export function raiseNode(node: NodeProto, opset: number): NodeProto {
  const defaults = oldDefaults[node.opType];
  if (defaults === undefined || opset >= emittedOpsetMin) return node;
  const named = new Set((node.attribute ?? []).map(({ name }) => name));
  const added = attributesToProto(defaults).filter(({ name }) => !named.has(name));
  return NodeProto.create({ ...node, attribute: [...(node.attribute ?? []), ...added] });
}
