import { ok, type Result } from '../basics/result.ts';
import { createGraphBuilder, type GraphBuilder } from './graph-builder.ts';
import {
  dataType,
  decodeModel,
  encodeModel,
  GraphProto,
  ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from './model/onnx-proto.ts';
import { renameValues } from './model/rename-values.ts';
import type { Port } from './model/shape.ts';
import { portToValueInfo, valueInfoToPort } from './model/value-info.ts';
import { refuse, type TrainingFailure } from './training-failure.ts';

/** Where a value lies and how far it strays: `(value - mean) / deviation` is standardised. */
export interface Spread {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** How a model's input, `window` readings of some features, and its output are standardised. */
export interface Standardisation {
  /**
   * `rows` is [batch, window, features], `channels` [batch, features, window]; `flat` has the
   * values of `rows` in other dimensions.
   */
  readonly layout: 'rows' | 'channels' | 'flat';
  /**
   * Of each feature. `values` go in standardised. `changes` go in as what each reading is more than
   * the one before, 0 for the first, in units of their `deviation`, and no further than
   * five of them, so that one wild reading cannot rule a forecast.
   */
  readonly input:
    | ({ readonly kind: 'values' } & Spread)
    | { readonly kind: 'changes'; readonly deviation: readonly number[] };
  /** Of each value of the output; as it is unless given. */
  readonly output?: Spread & {
    /** For each value of the output the feature whose latest value is added to it. */
    readonly latest?: readonly number[];
  };
}

/** In deviations. */
const CHANGE_MAX = 5;

const PREFIX = 'standardise/';

/** Whether {@link standardiseModel} made this model. */
export function isStandardised(model: ModelProto): boolean {
  return (model.graph?.node ?? []).some(({ name }) => name?.startsWith(PREFIX));
}

/**
 * The same model around which nodes turn raw readings into standardised ones and what it gives back
 * into the target's own units. It takes and gives the same names and shapes, and any runtime runs
 * it. The numbers are constants of the graph, so they do not train.
 *
 * Errors: `not-onnx`, `model-too-large`, `model-invalid`.
 */
export function standardiseModel(
  modelBytes: Uint8Array,
  standardisation: Standardisation,
): Result<Uint8Array<ArrayBuffer>, TrainingFailure> {
  const opened = openGraph(modelBytes);
  if (!opened.ok) return opened;
  const { model, graph, input, output } = opened.value;
  const before = createGraphBuilder(dataType.float32, PREFIX);
  const rows = addRows(before, input, standardisation);
  const innerInput = addInputNodes(before, { rows, port: input }, standardisation);
  const renamed = new Map([[input.name, innerInput]]);
  // The numbers go on, so that no two nodes are named alike.
  const after = createGraphBuilder(dataType.float32, `${PREFIX}output/`);
  if (standardisation.output !== undefined) {
    renamed.set(output.name, `${PREFIX}${output.name}`);
    const given = { value: `${PREFIX}${output.name}`, port: output, rows };
    after.publish(addOutputNodes(after, given, standardisation.output), output.name);
  }
  graph.node = renameValues(graph.node as NodeProto[], (name) => renamed.get(name) ?? name);
  return ok(encodeModel(insertNodes(model, { before, after })));
}

/**
 * The model as it is trained: its free input dimensions other than the batch set to `inputShape`,
 * and its first output, now the only one, divided by `scale`, so that the loss does not depend on
 * the target's units.
 *
 * Errors: `not-onnx`, `model-too-large`, `model-invalid`.
 */
export function scaleForTraining(
  modelBytes: Uint8Array,
  { scale, inputShape }: { scale?: readonly number[]; inputShape: Port['shape'] },
): Result<Uint8Array<ArrayBuffer>, TrainingFailure> {
  const opened = openGraph(modelBytes);
  if (!opened.ok) return opened;
  const { model, graph, input, output } = opened.value;
  const after = createGraphBuilder(dataType.float32, `${PREFIX}scaled/`);
  const name = `${PREFIX}scaled`;
  if (scale !== undefined) {
    const value = addFlat(after, { value: output.name, port: output }, scale.length);
    const shares = scale.map((deviation) => 1 / deviation);
    const scaled = after.node('Mul', [value, floats(after, 'share', shares)]);
    after.publish(addShaped(after, scaled, { value: output.name, port: output }), name);
    graph.output = [portToValueInfo({ ...output, name })];
  }
  graph.input = graph.input!.map((info) =>
    info.name === input.name ? portToValueInfo({ ...input, shape: inputShape }) : info,
  );
  const before = createGraphBuilder(dataType.float32, PREFIX);
  return ok(encodeModel(insertNodes(model, { before, after })));
}

interface OpenGraph {
  readonly model: ModelProto;
  readonly graph: GraphProto;
  readonly input: Port;
  readonly output: Port;
}

function openGraph(modelBytes: Uint8Array): Result<OpenGraph, TrainingFailure> {
  const decoded = decodeModel(modelBytes);
  if (!decoded.ok) return decoded;
  const model = decoded.value;
  const graph = model.graph as GraphProto;
  const initialisers = new Set(graph.initializer?.map(({ name }) => name));
  const inputs = (graph.input as ValueInfoProto[]).filter(({ name }) => !initialisers.has(name));
  const input = inputs.length === 1 ? valueInfoToPort(inputs[0]!) : undefined;
  const output = valueInfoToPort(graph.output![0] as ValueInfoProto);
  if (input !== undefined && output !== undefined) return ok({ model, graph, input, output });
  return refuse(
    'model-invalid',
    `the model takes ${inputs.length} inputs, or one of its ports is no tensor of a stated rank; ` +
      'export it with one input for the readings',
  );
}

/** The input as [batch, window, features]. */
function addRows(graph: GraphBuilder, port: Port, { layout, input }: Standardisation): string {
  if (layout === 'rows') return port.name;
  if (layout === 'channels') return graph.node('Transpose', [port.name], swapped);
  return graph.node('Reshape', [port.name, graph.ints([0, -1, input.deviation.length])]);
}

const swapped = { perm: { ints: [0, 2, 1] } };

function addInputNodes(
  graph: GraphBuilder,
  { rows, port }: { rows: string; port: Port },
  { layout, input }: Standardisation,
): string {
  const deviation = floats(graph, 'deviation', input.deviation);
  const origin =
    input.kind === 'values' ? floats(graph, 'mean', input.mean) : readingsBefore(graph, rows);
  const scaled = graph.node('Div', [graph.node('Sub', [rows, origin]), deviation]);
  const value =
    input.kind === 'values'
      ? scaled
      : graph.node('Clip', [scaled, graph.float(-CHANGE_MAX), graph.float(CHANGE_MAX)]);
  if (layout === 'rows') return value;
  if (layout === 'channels') return graph.node('Transpose', [value], swapped);
  return graph.node('Reshape', [value, graph.node('Shape', [port.name])]);
}

/** For each reading the one before it; for the first itself. */
function readingsBefore(graph: GraphBuilder, rows: string): string {
  const readings = (from: number, to: number): string =>
    graph.node('Slice', [rows, graph.ints([from]), graph.ints([to]), graph.ints([1])]);
  return graph.node('Concat', [readings(0, 1), readings(0, -1)], { axis: { int: 1 } });
}

interface GivenOutput {
  readonly value: string;
  readonly port: Port;
}

function addOutputNodes(
  graph: GraphBuilder,
  given: GivenOutput & { readonly rows: string },
  { mean, deviation, latest }: NonNullable<Standardisation['output']>,
): string {
  const flat = addFlat(graph, given, mean.length);
  const scaled = graph.node('Mul', [flat, floats(graph, 'target-deviation', deviation)]);
  const moved = graph.node('Add', [scaled, floats(graph, 'target-mean', mean)]);
  if (latest === undefined) return addShaped(graph, moved, given);
  const axis = { axis: { int: 1 } };
  const reading = graph.node('Gather', [given.rows, graph.ints([-1])], axis);
  const features = graph.node('Squeeze', [reading, graph.ints([1])]);
  const start = graph.node('Gather', [features, graph.ints(latest)], axis);
  return addShaped(graph, graph.node('Add', [moved, start]), given);
}

/** The output as [batch, size]. */
function addFlat(graph: GraphBuilder, { value, port }: GivenOutput, size: number): string {
  return port.shape.length === 2 ? value : graph.node('Reshape', [value, graph.ints([-1, size])]);
}

/** The inverse of {@link addFlat}. */
function addShaped(graph: GraphBuilder, flat: string, { value, port }: GivenOutput): string {
  return port.shape.length === 2
    ? flat
    : graph.node('Reshape', [flat, graph.node('Shape', [value])]);
}

/** A Constant node: unlike an initialiser it is never taken for a parameter. */
function floats(graph: GraphBuilder, name: string, values: readonly number[]): string {
  const output = `${PREFIX}${name}`;
  const attributes = { value_floats: { floats: values } };
  graph.nodeWithOutputs({ operator: 'Constant', inputs: [], outputs: [output], attributes });
  return output;
}

function insertNodes(
  model: ModelProto,
  { before, after }: { before: GraphBuilder; after: GraphBuilder },
): ModelProto {
  const [first, last] = [before.finish(), after.finish()];
  const graph = model.graph as GraphProto;
  const constants = new Map<string, TensorProto>([...first.constants, ...last.constants]);
  return ModelProto.create({
    ...model,
    graph: GraphProto.create({
      ...graph,
      node: [...first.nodes.map(named), ...(graph.node ?? []), ...last.nodes.map(named)],
      initializer: [...(graph.initializer ?? []), ...constants.values()],
    }),
  });
}

/** A node is named after its output, which a node of the model may be too. */
function named(node: NodeProto): NodeProto {
  node.name = node.name.startsWith(PREFIX) ? node.name : `${PREFIX}${node.name}`;
  return node;
}
