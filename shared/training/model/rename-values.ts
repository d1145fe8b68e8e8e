import {
  AttributeProto,
  GraphProto,
  NodeProto,
  TensorProto,
  ValueInfoProto,
} from './onnx-proto.ts';

/** The nodes with every value renamed that they read or make, also in their inner graphs. */
export function renameValues(
  nodes: readonly NodeProto[],
  rename: (name: string) => string,
): NodeProto[] {
  const renamed = (name: string): string => (name === '' ? '' : rename(name));
  return nodes.map((node) =>
    NodeProto.create({
      ...node,
      input: node.input.map(renamed),
      output: node.output.map(renamed),
      attribute: (node.attribute as AttributeProto[]).map((attribute) =>
        attribute.g || attribute.graphs?.length
          ? AttributeProto.create({
              ...attribute,
              g: attribute.g && renameInside(attribute.g as GraphProto, renamed),
              graphs: attribute.graphs?.map((each) => renameInside(each as GraphProto, renamed)),
            })
          : attribute,
      ),
    }),
  );
}

function renameInside(graph: GraphProto, rename: (name: string) => string): GraphProto {
  const renamePort = (port: { name?: string | null }) =>
    ValueInfoProto.create({ ...port, name: rename(port.name ?? '') });
  return GraphProto.create({
    ...graph,
    node: renameValues(graph.node as NodeProto[], rename),
    input: graph.input?.map(renamePort),
    output: graph.output?.map(renamePort),
    valueInfo: [],
    initializer: graph.initializer?.map((tensor) =>
      TensorProto.create({ ...tensor, name: rename(tensor.name ?? '') }),
    ),
  });
}
