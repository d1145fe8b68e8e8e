import { NodeProto } from './model/onnx-proto.ts';
import { RESERVED_PREFIX } from './model/source-graph.ts';

const PREFIX = `${RESERVED_PREFIX}output/`;

/** The name of an output that the model leaves out; `known` is another one of that node. */
export function addedOutputName(known: string, index: number): string {
  return `${PREFIX}${known}/${index}`;
}

/**
 * The node without the last of its added outputs that are not `needed`: a runtime may take much
 * longer where it must make them, as with the Indices of MaxPool.
 */
export function withoutUnneededOutputs(node: NodeProto, needed: ReadonlySet<string>): NodeProto {
  const isKept = (name: string) => !name.startsWith(PREFIX) || needed.has(name);
  const count = node.output.findLastIndex(isKept) + 1;
  return count === node.output.length
    ? node
    : NodeProto.create({ ...node, output: node.output.slice(0, count) });
}
