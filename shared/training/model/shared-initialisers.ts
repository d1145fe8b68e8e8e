import { GraphProto, ModelProto, type NodeProto, TensorProto } from './onnx-proto.ts';

/**
 * The model with a tensor of its own for every value that is the Identity of an initialiser.
 * PyTorch's TorchScript exporter writes parameters of equal values as one initialiser and Identity
 * nodes, so that a fresh bias and a running mean, both zeros, would train as one. What was meant
 * to be shared is told apart by nothing in the file: it starts equal and trains separately.
 */
export function separateInitialisers(model: ModelProto): ModelProto {
  const initialisers = new Map(
    (model.graph?.initializer ?? []).map((tensor) => [tensor.name, tensor]),
  );
  const outputs = new Set((model.graph?.output ?? []).map(({ name }) => name));
  const added: TensorProto[] = [];
  const node = ((model.graph?.node ?? []) as NodeProto[]).filter(({ opType, input, output }) => {
    const source = opType === 'Identity' ? initialisers.get(input[0]) : undefined;
    const name = output[0]!;
    if (source === undefined || outputs.has(name)) return true;
    const own = TensorProto.create({ ...source, name });
    initialisers.set(name, own);
    added.push(own);
    return false;
  });
  if (added.length === 0) return model;
  const initializer = [...(model.graph?.initializer ?? []), ...added];
  return ModelProto.create({
    ...model,
    graph: GraphProto.create({ ...model.graph, node, initializer }),
  });
}
