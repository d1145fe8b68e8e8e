import { NodeProto } from './model/onnx-proto.ts';
import {
  nodeReads,
  normalDomain,
  RESERVED_PREFIX,
  type SourceGraph,
} from './model/source-graph.ts';

/**
 * The model with every Relu that only a MaxPool reads put behind it: the largest of values cut off
 * below 0 is their largest one, cut off below 0. Forwards and backwards there are fewer to cut.
 */
export function reluAfterPool(source: SourceGraph): SourceGraph {
  const makers = new Map(
    source.nodes.flatMap((node) => node.output.map((name) => [name, node] as const)),
  );
  const readCounts = new Map<string, number>();
  const reads = [...source.nodes.flatMap(nodeReads), ...source.outputs.map(({ name }) => name)];
  for (const name of reads) readCounts.set(name, (readCounts.get(name) ?? 0) + 1);

  const moved = new Set<NodeProto>();
  const nodes = source.nodes.flatMap((pool) => {
    const relu = makers.get(pool.input[0] ?? '');
    const isOnlyReader = readCounts.get(pool.input[0] ?? '') === 1;
    const givesIndices = pool.output.length > 1;
    if (!isOperator(pool, 'MaxPool') || !isOperator(relu, 'Relu')) return [pool];
    if (!isOnlyReader || givesIndices) return [pool];
    moved.add(relu);
    const pooled = `${RESERVED_PREFIX}pooled/${pool.output[0]}`;
    return [
      NodeProto.create({ ...pool, input: relu.input, output: [pooled] }),
      NodeProto.create({ ...relu, input: [pooled], output: pool.output }),
    ];
  });
  return { ...source, nodes: nodes.filter((node) => !moved.has(node)) };
}

function isOperator(node: NodeProto | undefined, operator: string): node is NodeProto {
  return node !== undefined && node.opType === operator && normalDomain(node.domain) === '';
}
