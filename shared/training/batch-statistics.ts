import { ok, type Result } from '../basics/result.ts';
import type { NamedTensor } from '../codec/tensor.ts';
import { portNames } from './artefact-names.ts';
import { createGraphBuilder, type GraphBuilder } from './graph-builder.ts';
import { floatAttribute, intAttribute } from './model/attributes.ts';
import { GraphProto, ModelProto, NodeProto, type TensorProto } from './model/onnx-proto.ts';
import { type FloatType, tensorShape, tensorToFloat32 } from './model/onnx-tensor.ts';
import type { Shape, Shapes } from './model/shape.ts';
import {
  nodeReads,
  normalDomain,
  RESERVED_PREFIX,
  type SourceGraph,
} from './model/source-graph.ts';
import { sizeRatio } from './rules/averages.ts';
import { channelwise, spatialAxes } from './rules/channels.ts';
import { refuse, type TrainingFailure } from './training-failure.ts';

// Batch normalisation in training mode (ONNX BatchNormalization; Ioffe & Szegedy, arXiv
// 1502.03167): each batch is normalised by its own mean and variance, and running ones are carried
// along for inference. Statistics are weighted by the examples' weights, so that the rows that fill
// up a short batch are in none of them.

/** What the running statistics of a model are and become. */
export interface BatchStatistics {
  /** The model's nodes as they run while it trains, in order. */
  readonly nodes: readonly NodeProto[];
  readonly constants: ReadonlyMap<string, TensorProto>;
  /** The initialisers that a step changes without a gradient, with initial values. */
  readonly states: readonly NamedTensor[];
  /** The value after a step, by state. */
  readonly next: ReadonlyMap<string, string>;
}

interface StatisticsRequest {
  readonly shapes: Shapes;
  readonly floatType: FloatType;
  /** Initialisers that keep their values. */
  readonly frozen: readonly string[];
}

const MEAN_INPUT = 3;

/** Whether a node normalises by the statistics of the batch. */
export function usesBatchStatistics(node: NodeProto): boolean {
  return isBatchNormalisation(node) && intAttribute(node, 'training_mode', 0) === 1;
}

/** The initialisers that a batch normalisation reads as mean or variance: they never train. */
export function statisticNames({ nodes, initialisers }: SourceGraph): Set<string> {
  const read = nodes.filter(isBatchNormalisation).flatMap(({ input }) => input.slice(MEAN_INPUT));
  return new Set(read.filter((name) => initialisers.has(name)));
}

/** Of a node in training mode: batch mean [C], variance [C], and each element's weight [N]. */
export function batchValueNames(node: NodeProto): Record<'mean' | 'variance' | 'shares', string> {
  const prefix = prefixOf(node);
  return { mean: `${prefix}mean`, variance: `${prefix}variance`, shares: `${prefix}shares` };
}

/**
 * The model as it trains. Running statistics follow the ONNX specification:
 * running' = momentum running + (1 - momentum) batch, with the population variance of the batch.
 * PyTorch's momentum is one minus this one, and its running variance the unbiased one.
 *
 * Errors: `shape-unknown`, `model-invalid`.
 */
export function addBatchStatistics(
  source: SourceGraph,
  { shapes, floatType, frozen }: StatisticsRequest,
): Result<BatchStatistics, TrainingFailure> {
  const nodes: NodeProto[] = [];
  const constants = new Map<string, TensorProto>();
  const states = new Map<string, NamedTensor>();
  const next = new Map<string, string>();
  for (const node of source.nodes) {
    if (!usesBatchStatistics(node)) {
      nodes.push(node);
      continue;
    }
    const x = node.input[0]!;
    const shape = shapes.get(x);
    if (shape === undefined) return shapeUnknown(x);
    for (const name of node.input.slice(MEAN_INPUT)) {
      const tensor = source.initialisers.get(name);
      if (tensor === undefined || frozen.includes(name)) continue;
      const data = tensorToFloat32(tensor);
      if (data === undefined || tensor.dataType !== floatType) return unfit(name);
      states.set(name, { name, shape: tensorShape(tensor), data });
    }
    const graph = createGraphBuilder(floatType, prefixOf(node));
    addStatistics(graph, node, shape);
    for (const [running, value] of addRunning(graph, node, next)) {
      if (states.has(running)) next.set(running, value);
    }
    const built = graph.finish();
    nodes.push(...built.nodes, byStatistics(node, batchValueNames(node)));
    for (const [name, tensor] of built.constants) constants.set(name, tensor);
  }
  return ok({ nodes, constants, states: [...states.values()], next });
}

/** The model as it is used: batch normalisation goes by the running statistics. */
export function forInference(source: SourceGraph): SourceGraph {
  const firsts = source.nodes.filter(usesBatchStatistics).map(({ output }) => output[0]!);
  if (firsts.length === 0) return source;
  const changed = new Set(firsts);
  const read = new Set([
    ...source.nodes.flatMap(nodeReads),
    ...source.outputs.map(({ name }) => name),
  ]);
  const change = (nodes: readonly NodeProto[]): NodeProto[] =>
    nodes.flatMap((node) => (changed.has(node.output[0]!) ? byRunning(node, read) : [node]));
  // The model's own nodes are of its own operator set, unlike those beside them.
  const graph = GraphProto.create({ ...source.model.graph });
  graph.node = change(graph.node as NodeProto[]);
  const model = ModelProto.create({ ...source.model, graph });
  return { ...source, nodes: change(source.nodes), model };
}

/** The node by its running statistics; who reads the next ones gets these. */
function byRunning(node: NodeProto, read: ReadonlySet<string>): NodeProto[] {
  const [mean, variance] = node.input.slice(MEAN_INPUT) as [string, string];
  const kept = [mean, variance].flatMap((input, index) => {
    const output = node.output[index + 1] ?? '';
    return read.has(output)
      ? [NodeProto.create({ name: output, opType: 'Identity', input: [input], output: [output] })]
      : [];
  });
  return [byStatistics(node, { mean, variance }), ...kept];
}

function isBatchNormalisation({ opType, domain }: NodeProto): boolean {
  return opType === 'BatchNormalization' && normalDomain(domain) === '';
}

function prefixOf(node: NodeProto): string {
  return `${RESERVED_PREFIX}batch/${node.output[0]}/`;
}

/** The node by the statistics named, as at inference. */
function byStatistics(
  node: NodeProto,
  { mean, variance }: { readonly mean: string; readonly variance: string },
): NodeProto {
  return NodeProto.create({
    ...node,
    input: [...node.input.slice(0, MEAN_INPUT), mean, variance],
    output: node.output.slice(0, 1),
    attribute: node.attribute.filter(({ name }) => name !== 'training_mode'),
  });
}

/** Adds the weighted mean and variance of the batch under {@link batchValueNames}. */
function addStatistics(graph: GraphBuilder, node: NodeProto, shape: Shape): void {
  const x = node.input[0]!;
  const axes = graph.ints(spatialAxes(shape));
  const rows = (value: string): string =>
    shape.length === 2 ? value : graph.node('ReduceSum', [value, axes], { keepdims: { int: 0 } });
  const xRows = rows(x);
  const shares = addShares(graph, shape, { x, xRows });
  const mean = graph.node('MatMul', [shares, xRows]);
  const deviation = graph.node('Sub', [x, channelwise(graph, mean, shape)]);
  const squares = rows(graph.node('Mul', [deviation, deviation]));
  const names = batchValueNames(node);
  graph.publish(mean, names.mean);
  graph.publish(graph.node('MatMul', [shares, squares]), names.variance);
  graph.publish(shares, names.shares);
}

/**
 * What each element of a row [C, ...] counts among those of its channel: the weight of its
 * example, evenly over what is made of it. Where the batch was flattened into [batch * k, C, ...],
 * the k rows of an example are taken to follow one another; where axis 0 is no batch, all rows
 * count alike.
 */
function addShares(
  graph: GraphBuilder,
  [rowCount]: Shape,
  { x, xRows }: { readonly x: string; readonly xRows: string },
): string {
  const places = sizeRatio(graph, x, xRows);
  if (rowCount !== null && rowCount !== undefined) {
    const even = graph.node('Expand', [graph.float(1 / rowCount), graph.ints([rowCount])]);
    return graph.node('Div', [even, places]);
  }
  const { weights } = portNames;
  const rowsOfEach = graph.node('Div', [
    graph.node('Shape', [xRows], { end: { int: 1 } }),
    graph.node('Shape', [weights]),
  ]);
  const grid = graph.node('Concat', [graph.ints([1]), rowsOfEach], { axis: { int: 0 } });
  const column = graph.node('Unsqueeze', [weights, graph.ints([1])]);
  const repeated = graph.node('Reshape', [graph.node('Expand', [column, grid]), graph.ints([-1])]);
  const count = graph.node('Cast', [rowsOfEach], { to: { int: graph.floatType } });
  return graph.node('Div', [repeated, graph.node('Mul', [count, places])]);
}

/**
 * Adds the next running statistics and gives the value of each; a layer that runs twice in a model
 * moves them twice, from where the first run left them.
 */
function addRunning(
  graph: GraphBuilder,
  node: NodeProto,
  current: ReadonlyMap<string, string>,
): (readonly [running: string, next: string])[] {
  const { mean, variance } = batchValueNames(node);
  const momentum = floatAttribute(node, 'momentum', 0.9);
  return [mean, variance].map((batch, index) => {
    const running = node.input[MEAN_INPUT + index]!;
    const kept = graph.node('Mul', [current.get(running) ?? running, graph.float(momentum)]);
    const added = graph.node('Mul', [batch, graph.float(1 - momentum)]);
    const next = node.output[index + 1] || `${batch}/running`;
    graph.publish(graph.node('Add', [kept, added]), next);
    return [running, next];
  });
}

function shapeUnknown(value: string): Result<never, TrainingFailure> {
  return refuse(
    'shape-unknown',
    `a batch normalisation needs the shape of ${value}, which the model does not state; learn ` +
      'the shapes with a probe run first',
  );
}

function unfit(name: string): Result<never, TrainingFailure> {
  return refuse(
    'model-invalid',
    `the running statistics ${name} do not fit their shape or are of another type than the ` +
      'output that is trained; export the model in one float type',
  );
}
