import type { GraphBuilder } from '../graph-builder.ts';
import { floatAttribute, intAttribute } from '../model/attributes.ts';
import { opsetRange, RESERVED_PREFIX } from '../model/source-graph.ts';
import { unbroadcast } from './broadcasting.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';
import { softmaxGradient } from './softmax.ts';

/** Scaled dot-product attention (Vaswani et al., arXiv 1706.03762; ONNX Attention). */
export const attentionRules: readonly Rule[] = [
  {
    operator: 'Attention',
    domain: '',
    opsets: { oldest: 23, newest: opsetRange.newest },
    shapes: ({ input, output }) => [...input.slice(0, 4), output[0]!].filter((name) => name !== ''),
    refuses: unsupportedPart,
    gradients: attentionGradients,
  },
];

function unsupportedPart({ node, shapeOf }: RuleContext): string | undefined {
  const { input } = node;
  if (input[4] || input[5]) return 'past keys and values';
  if (input[6]) return 'nonpad_kv_seqlen';
  if (floatAttribute(node, 'softcap', 0) !== 0) return 'a softcap';
  const shapes = input.slice(0, 3).map((name) => shapeOf(name));
  const sizes = shapes.flatMap((shape) => [
    shape.at(-1),
    ...(shape.length === 4 ? [shape[1]] : []),
  ]);
  return sizes.includes(null) ? 'heads that vary in number or size' : undefined;
}

/**
 * Q [B, H, S, D], K and V [B, H / groups, T, D] (or [B, S, H D] with the numbers of heads as
 * attributes), mask broadcast to [B, H, S, T]. With S = scale Q K' + mask, P = softmax(S), Y = P V:
 *
 *     dV = P' dY,  dP = dY V',  dS = P (dP - sum(dP P)),  dQ = scale dS K,  dK = scale dS' Q,
 *
 * where several heads of Q share one of K and V: their gradients are summed.
 */
function attentionGradients(context: RuleContext, dY: string): InputGradients {
  const { graph, node, wants, shapeOf } = context;
  const [q, k, v, mask] = node.input as [string, string, string, string | undefined];
  const queries = headsOf(context, q, 'q_num_heads');
  const keys = headsOf(context, k, 'kv_num_heads');
  const values = headsOf(context, v, 'kv_num_heads');
  const groups = queries.count / keys.count;
  const scale = floatAttribute(node, 'scale', 1 / Math.sqrt(queries.size));
  const scaled = (value: string) => graph.node('Mul', [value, graph.float(scale)]);
  const product = (a: string, b: string) => graph.node('MatMul', [a, b]);

  const dOut = queries.isFlat ? splitHeads(graph, dY, queries.count) : dY;
  const weights = attentionWeights(context);
  const dWeights = product(dOut, transposed(graph, repeatHeads(graph, values, groups)));
  const dScores = softmaxGradient(graph, { y: weights, dY: dWeights, axis: -1 });
  const dQ = () => scaled(product(dScores, repeatHeads(graph, keys, groups)));
  const dK = () => scaled(product(transposed(graph, dScores), queries.value));
  const dV = () => product(transposed(graph, weights), dOut);
  const dMask = (bias: string) => {
    const [rows, columns] = [shapeOf(q).at(-2)!, shapeOf(k).at(-2)!];
    const from = [shapeOf(q)[0]!, queries.count, rows, columns];
    return unbroadcast(graph, dScores, { from, to: shapeOf(bias) });
  };
  const joined = (value: string, { isFlat }: Heads) => (isFlat ? joinHeads(graph, value) : value);
  const shared = (value: string, heads: Heads) =>
    joined(sumGroups(graph, value, { heads, groups }), heads);
  return [
    wants(0) ? joined(dQ(), queries) : undefined,
    wants(1) ? shared(dK(), keys) : undefined,
    wants(2) ? shared(dV(), values) : undefined,
    mask && wants(3) ? dMask(mask) : undefined,
  ];
}

/** A value as [B, heads, S, size]. */
interface Heads {
  readonly value: string;
  readonly count: number;
  readonly size: number;
  /** Whether the model has it as [B, S, heads size]. */
  readonly isFlat: boolean;
}

function headsOf({ graph, node, shapeOf }: RuleContext, value: string, attribute: string): Heads {
  const shape = shapeOf(value);
  if (shape.length === 4) return { value, count: shape[1]!, size: shape[3]!, isFlat: false };
  const count = intAttribute(node, attribute, 1);
  return { value: splitHeads(graph, value, count), count, size: shape[2]! / count, isFlat: true };
}

/** Softmax(S), which the operator tells beside its output if asked. */
function attentionWeights({ graph, node }: RuleContext): string {
  const weights = `${RESERVED_PREFIX}attention/${node.output[0]}`;
  const given = ['is_causal', 'q_num_heads', 'kv_num_heads', 'softmax_precision'].flatMap((name) =>
    node.attribute.some((attribute) => attribute.name === name)
      ? [[name, { int: intAttribute(node, name, 0) }] as const]
      : [],
  );
  const hasScale = node.attribute.some(({ name }) => name === 'scale');
  graph.nodeWithOutputs({
    operator: 'Attention',
    inputs: node.input,
    outputs: [`${weights}/output`, `${weights}/keys`, `${weights}/values`, weights],
    attributes: {
      ...Object.fromEntries(given),
      ...(hasScale ? { scale: { float: floatAttribute(node, 'scale', 0) } } : {}),
      qk_matmul_output_mode: { int: AFTER_SOFTMAX },
    },
  });
  return weights;
}

const AFTER_SOFTMAX = 3;

/** [B, S, heads size] -> [B, heads, S, size] */
function splitHeads(graph: GraphBuilder, value: string, count: number): string {
  const split = graph.node('Reshape', [value, graph.ints([0, 0, count, -1])]);
  return graph.node('Transpose', [split], { perm: { ints: [0, 2, 1, 3] } });
}

/** [B, heads, S, size] -> [B, S, heads size] */
function joinHeads(graph: GraphBuilder, value: string): string {
  const turned = graph.node('Transpose', [value], { perm: { ints: [0, 2, 1, 3] } });
  return graph.node('Reshape', [turned, graph.ints([0, 0, -1])]);
}

/** Each head as often as heads of Q share it, side by side. */
function repeatHeads(graph: GraphBuilder, { value, count, size }: Heads, groups: number): string {
  if (groups === 1) return value;
  const apart = graph.node('Unsqueeze', [value, graph.ints([2])]);
  const repeated = graph.node('Expand', [apart, graph.ints([1, 1, groups, 1, 1])]);
  return graph.node('Reshape', [repeated, graph.ints([0, count * groups, -1, size])]);
}

function sumGroups(
  graph: GraphBuilder,
  value: string,
  { heads, groups }: { heads: Heads; groups: number },
): string {
  if (groups === 1) return value;
  const shape = graph.ints([0, heads.count, groups, -1, heads.size]);
  const apart = graph.node('Reshape', [value, shape]);
  return graph.node('ReduceSum', [apart, graph.ints([2])], { keepdims: { int: 0 } });
}

function transposed(graph: GraphBuilder, value: string): string {
  return graph.node('Transpose', [value], { perm: { ints: [0, 1, 3, 2] } });
}
