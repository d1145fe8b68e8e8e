import { type Attributes, attributesToProto } from './attributes.ts';
import { NodeProto } from './onnx-proto.ts';

/**
 * The oldest operator set that training graphs are written in: from here on ScatterElements and
 * ScatterND can add, and CastLike exists. Between 13 and it the operators only gained attributes
 * and types (ONNX, Changelog), but for `oldDefaults` and BatchNormalization.
 */
export const emittedOpsetMin = 16;

/** What operators did before and do now only where told. */
const oldDefaults: Readonly<Record<string, Attributes>> = {
  RoiAlign: { coordinate_transformation_mode: { string: 'output_half_pixel' } },
};

/** A node of a model of operator set `opset`, as it is written in a training graph. */
export function raiseNode(node: NodeProto, opset: number): NodeProto {
  if (node.opType === 'BatchNormalization' && opset < 14) return raiseBatchNormalisation(node);
  const defaults = oldDefaults[node.opType];
  if (defaults === undefined || opset >= emittedOpsetMin) return node;
  const named = new Set((node.attribute ?? []).map(({ name }) => name));
  const added = attributesToProto(defaults).filter(({ name }) => !named.has(name));
  return NodeProto.create({ ...node, attribute: [...(node.attribute ?? []), ...added] });
}

/** Until 13 more outputs than the first were what said that it trains; the last two are gone. */
function raiseBatchNormalisation(node: NodeProto): NodeProto {
  if (!node.output.slice(1).some((name) => name !== '')) return node;
  const mode = attributesToProto({ training_mode: { int: 1 } });
  const output = node.output.slice(0, 3);
  return NodeProto.create({ ...node, output, attribute: [...(node.attribute ?? []), ...mode] });
}
