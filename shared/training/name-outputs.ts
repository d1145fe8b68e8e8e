import { addedOutputName } from './added-outputs.ts';
import { NodeProto } from './model/onnx-proto.ts';
import { normalDomain, operatorSet, type SourceGraph } from './model/source-graph.ts';
import { findRule } from './rules/rule-table.ts';

/** The model with names for the outputs that it leaves out but that a rule's gradient reads. */
export function nameOutputs(source: SourceGraph): SourceGraph {
  const nodes = source.nodes.map((node) => {
    const opset = operatorSet(source.model, normalDomain(node.domain));
    const needed = findRule(node, opset)?.outputs ?? 0;
    const known = node.output.find((name) => name !== '');
    const count = Math.max(needed, node.output.length);
    const output = Array.from({ length: count }, (_, index) =>
      index < needed && !node.output[index]
        ? addedOutputName(known!, index)
        : (node.output[index] ?? ''),
    );
    return NodeProto.create({ ...node, output });
  });
  return { ...source, nodes };
}
