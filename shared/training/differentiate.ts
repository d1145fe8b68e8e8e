import { ok, type Result } from '../basics/result.ts';
import type { NamedTensor } from '../codec/tensor.ts';
import { gradientName, nextName, portNames } from './artefact-names.ts';
import type { TrainingNodes } from './artefacts.ts';
import { addBackwardPass } from './backward.ts';
import {
  addBatchStatistics,
  type BatchStatistics,
  forInference,
  usesBatchStatistics,
} from './batch-statistics.ts';
import { checkOptions } from './check-options.ts';
import { convolutionsAsProducts } from './convolutions-as-products.ts';
import { createGraphBuilder, type GraphBuilder } from './graph-builder.ts';
import { addLoss, type LossName, type LossOptions, readLossOptions, targetPort } from './losses.ts';
import { type FloatType, isFloatType, shapeSize, tensorShape } from './model/onnx-tensor.ts';
import type { Port, Shapes } from './model/shape.ts';
import type { SourceGraph } from './model/source-graph.ts';
import { nameOutputs } from './name-outputs.ts';
import { readParameters } from './parameters.ts';
import { lstmsAsLoops } from './recurrent/lstm-loop.ts';
import { reluAfterPool } from './relu-after-pool.ts';
import { refuse, type TrainingFailure } from './training-failure.ts';
import { addUpdateStep, backwardSeed, type UpdateOptions } from './update-step.ts';
import { parametersUpstream } from './upstream.ts';

export interface TrainingOptions extends UpdateOptions {
  /** A name stands for that loss with its defaults. */
  readonly loss: LossName | LossOptions;
  /** The model's output that is trained; the first one unless given. */
  readonly output?: string;
  /** Parameters that keep their values. */
  readonly frozen?: readonly string[];
  /** What a probe run learnt (`shape-probe.ts`); a model of Gemm layers does without. */
  readonly shapes?: Shapes;
}

/** Where the loss applies: a float tensor of a row per example and otherwise fixed shape. */
interface TrainedOutput extends Port {
  readonly type: FloatType;
}

export interface Differentiated {
  readonly training: TrainingNodes;
  readonly output: Port;
  /** What trains, with initial values. */
  readonly parameters: readonly NamedTensor[];
  /** Running statistics that training changes, with initial values. */
  readonly statistics: readonly NamedTensor[];
  /** What the optimiser carries along, with initial values. */
  readonly slots: readonly NamedTensor[];
}

/** What is differentiated, found fit for it. */
interface Differentiable {
  /** As the model has it, and as it trains. */
  readonly written: SourceGraph;
  readonly source: SourceGraph;
  readonly shapes: Shapes;
  readonly output: TrainedOutput;
  readonly target: Port;
  /** What may train. */
  readonly candidates: readonly NamedTensor[];
  readonly statistics: BatchStatistics;
}

/**
 * Appends loss, backward pass and optimiser step to the model's nodes.
 *
 * Errors: `option-invalid`, `output-unsupported`, `shape-unknown`, `unknown-parameter`,
 * `model-invalid`, `unsupported-operator`, `no-trainable-parameter`.
 */
export function differentiate(
  model: SourceGraph,
  options: TrainingOptions,
): Result<Differentiated, TrainingFailure> {
  const found = findDifferentiable(model, options);
  if (!found.ok) return found;
  const { written, source, shapes, output, target, candidates, statistics } = found.value;
  const { name, type, shape } = output;
  const names = candidates.map((tensor) => tensor.name);
  const graph = createGraphBuilder(type);
  const { loss, metric, gradient } = addLoss(graph, readLossOptions(options.loss), {
    prediction: name,
    target: portNames.target,
    weights: portNames.weights,
    dimensions: shape.slice(1) as number[],
  });
  const backward = addBackwardPass(graph, {
    source,
    shapes,
    parameters: names,
    output: { name, gradient: backwardSeed(graph, options, gradient) },
  });
  if (!backward.ok) return backward;
  const gradients = backward.value;
  const upstream = parametersUpstream(source, { parameters: names, type });
  const running = { ...source, nodes: statistics.nodes };
  const forward = lstmsAsLoops(running, { readers: graph.finish().nodes, upstream, shapes });
  const parameters = candidates.filter((tensor) => gradients.has(tensor.name));
  if (parameters.length === 0) return nothingTrains(name);
  const { next, slots, terms, noisy } = addUpdateStep(graph, options, {
    source: forward,
    parameters: parameters.map((tensor) => ({ ...tensor, gradient: gradients.get(tensor.name)! })),
    target,
  });
  publishAll(graph, { loss, metric, gradients, next: new Map([...next, ...statistics.next]) });
  const { nodes, constants } = graph.finish();
  return ok({
    output,
    parameters,
    statistics: statistics.states,
    slots: slots.map((slot) => ({ ...slot, data: new Float32Array(shapeSize(slot.shape)) })),
    training: {
      source,
      floatType: type,
      nodes: [...forward.nodes, ...nodes],
      inferenceNodes: [...forInference(written).nodes, ...nodes],
      constants: new Map([...forward.initialisers, ...statistics.constants, ...constants]),
      parameters: portsOf(parameters, type),
      statistics: portsOf(statistics.states, type),
      slots: portsOf(slots, type),
      target,
      terms,
      noisy,
    },
  });
}

function findDifferentiable(
  model: SourceGraph,
  options: TrainingOptions,
): Result<Differentiable, TrainingFailure> {
  const written = nameOutputs(reluAfterPool(model));
  const lossOptions = readLossOptions(options.loss);
  const checked = checkOptions(lossOptions, options);
  if (!checked.ok) return checked;
  const known = knownShapes(written, options.shapes);
  const chosen = chooseOutput(written, { name: options.output, shapes: known });
  if (!chosen.ok) return chosen;
  const output = chosen.value;
  const { type } = output;
  const { frozen = [] } = options;
  const candidates = readParameters(written, { floatType: type, frozen });
  if (!candidates.ok) return candidates;
  const parameters = candidates.value.map((tensor) => tensor.name);
  const { source, shapes } = convolutionsAsProducts(written, { shapes: known, parameters, type });
  const separable = checkSeparable(source, options);
  if (!separable.ok) return separable;
  const statistics = addBatchStatistics(source, { shapes, floatType: type, frozen });
  if (!statistics.ok) return statistics;
  const target = targetPort(lossOptions, output);
  if (!target.ok) return target;
  return ok({
    written,
    source,
    shapes,
    output,
    target: target.value,
    candidates: candidates.value,
    statistics: statistics.value,
  });
}

function portsOf(
  tensors: readonly { readonly name: string; readonly shape: readonly number[] }[],
  type: FloatType,
): Port[] {
  return tensors.map(({ name, shape }) => ({ name, type, shape }));
}

/** Whether an example has a gradient of its own where one is asked for. */
function checkSeparable(
  { nodes }: SourceGraph,
  { exampleClipping }: TrainingOptions,
): Result<undefined, TrainingFailure> {
  const mixing = exampleClipping && nodes.find(usesBatchStatistics);
  if (mixing === undefined) return ok(undefined);
  return refuse(
    'option-invalid',
    `exampleClipping: ${mixing.name || mixing.output[0]} normalises each example by its whole ` +
      'batch, so that none has a gradient of its own; export the model in evaluation mode, or ' +
      'with another normalisation',
  );
}

function nothingTrains(output: string): Result<never, TrainingFailure> {
  return refuse(
    'no-trainable-parameter',
    `the output ${output} depends on no float parameter that may train; thaw some, or export ` +
      'the model with float weights as initialisers',
  );
}

function publishAll(
  graph: GraphBuilder,
  values: {
    readonly loss: string;
    readonly metric: string;
    readonly gradients: ReadonlyMap<string, string>;
    readonly next: ReadonlyMap<string, string>;
  },
): void {
  graph.publish(values.loss, portNames.loss);
  graph.publish(values.metric, portNames.metric);
  for (const [parameter, value] of values.gradients) graph.publish(value, gradientName(parameter));
  for (const [state, value] of values.next) graph.publish(value, nextName(state));
}

/** What is known without a run, and what the caller learnt from one. */
function knownShapes(source: SourceGraph, learnt: Shapes = new Map()): Shapes {
  const initialisers = [...source.initialisers.values()].map(
    (tensor) => [tensor.name, tensorShape(tensor)] as const,
  );
  const ports = [...source.inputs, ...source.outputs].map(
    (port) => [port.name, port.shape] as const,
  );
  return new Map([...initialisers, ...ports, ...learnt]);
}

function chooseOutput(
  source: SourceGraph,
  { name, shapes }: { name: string | undefined; shapes: Shapes },
): Result<TrainedOutput, TrainingFailure> {
  const port = name === undefined ? source.outputs[0] : source.outputs.find((o) => o.name === name);
  if (port === undefined) {
    const names = source.outputs.map((output) => output.name).join(', ');
    return refuse(
      'output-unsupported',
      `the model has no output ${name}; name one of those it has: ${names}`,
    );
  }
  const { type } = port;
  const shape = shapes.get(port.name) ?? port.shape;
  const [batch, ...dimensions] = shape;
  if (!isFloatType(type) || batch !== null) {
    return refuse(
      'output-unsupported',
      `the output ${port.name} is not a float32 or float64 tensor with a row per example; name ` +
        'one that is, or export the model with the batch as a free first dimension',
    );
  }
  if (dimensions.every((size) => size !== null)) return ok({ name: port.name, type, shape });
  return refuse(
    'shape-unknown',
    `the model does not state the shape of its output ${port.name}; learn the shapes with a ` +
      'probe run first',
  );
}
