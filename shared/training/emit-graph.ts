import { withoutUnneededOutputs } from './added-outputs.ts';
import { GraphProto, ModelProto, type NodeProto, type TensorProto } from './model/onnx-proto.ts';
import { emittedOpsetMin } from './model/raise-opset.ts';
import type { Port } from './model/shape.ts';
import { nodeReads, normalDomain, type SourceGraph } from './model/source-graph.ts';
import { portToValueInfo } from './model/value-info.ts';

/** A graph to be: all nodes there are, in order; those its outputs do not need are left out. */
export interface GraphPlan {
  readonly name: string;
  readonly nodes: readonly NodeProto[];
  /** Constants by name, among them those not needed. */
  readonly constants: ReadonlyMap<string, TensorProto>;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

export function planToGraph({ name, nodes, constants, inputs, outputs }: GraphPlan): GraphProto {
  const needed = new Set(outputs.map((port) => port.name));
  const kept: NodeProto[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.output.some((output) => needed.has(output))) continue;
    kept.push(withoutUnneededOutputs(node, needed));
    for (const read of nodeReads(node)) needed.add(read);
  }
  for (const { name: fed } of inputs) needed.delete(fed);
  return GraphProto.create({
    name,
    node: kept.reverse(),
    initializer: [...constants.values()].filter((tensor) => needed.has(tensor.name)),
    input: inputs.map(portToValueInfo),
    output: outputs.map(portToValueInfo),
  });
}

/** A model around `graph` that reads operators as the source does. */
export function graphToModel(graph: GraphProto, source: SourceGraph): ModelProto {
  const { irVersion, functions } = source.model;
  const opsetImport = source.model.opsetImport.map((entry) =>
    normalDomain(entry.domain ?? '') === ''
      ? { ...entry, version: Math.max(source.opset, emittedOpsetMin) }
      : entry,
  );
  return ModelProto.create({ irVersion, opsetImport, functions, producerName: 'diten', graph });
}
