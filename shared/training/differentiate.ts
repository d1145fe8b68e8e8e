import { ok, type Result } from '../basics/result.ts';
import type { NamedTensor } from '../codec/tensor.ts';
import { gradientName, nextName, portNames } from './artefact-names.ts';
import type { TrainingNodes } from './artefacts.ts';
import { addBackwardPass } from './backward.ts';
import { checkOptions } from './check-options.ts';
import { createGraphBuilder, type GraphBuilder } from './graph-builder.ts';
import { addLoss, type LossName, type LossOptions, readLossOptions, targetPort } from './losses.ts';
import { type FloatType, isFloatType, shapeSize, tensorShape } from './model/onnx-tensor.ts';
import type { Port, Shapes } from './model/shape.ts';
import type { SourceGraph } from './model/source-graph.ts';
import { nameOutputs } from './name-outputs.ts';
import { readParameters } from './parameters.ts';
import { reluAfterPool } from './relu-after-pool.ts';
import { refuse, type TrainingFailure } from './training-failure.ts';
import { addUpdateStep, backwardSeed, type UpdateOptions } from './update-step.ts';

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
  /** What the optimiser carries along, with initial values. */
  readonly slots: readonly NamedTensor[];
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
  const source = nameOutputs(reluAfterPool(model));
  const lossOptions = readLossOptions(options.loss);
  const checked = checkOptions(lossOptions, options);
  if (!checked.ok) return checked;
  const shapes = knownShapes(source, options.shapes);
  const chosen = chooseOutput(source, { name: options.output, shapes });
  if (!chosen.ok) return chosen;
  const output = chosen.value;
  const { name, type, shape } = output;
  const candidates = readParameters(source, { floatType: type, frozen: options.frozen ?? [] });
  if (!candidates.ok) return candidates;

  const target = targetPort(lossOptions, output);
  if (!target.ok) return target;

  const graph = createGraphBuilder(type);
  const { loss, metric, gradient } = addLoss(graph, lossOptions, {
    prediction: name,
    target: portNames.target,
    weights: portNames.weights,
    dimensions: shape.slice(1) as number[],
  });
  const backward = addBackwardPass(graph, {
    source,
    shapes,
    parameters: candidates.value.map((tensor) => tensor.name),
    output: { name, gradient: backwardSeed(graph, options, gradient) },
  });
  if (!backward.ok) return backward;
  const gradients = backward.value;
  const parameters = candidates.value.filter((tensor) => gradients.has(tensor.name));
  if (parameters.length === 0) return nothingTrains(name);
  const { next, slots, terms, noisy } = addUpdateStep(graph, options, {
    source,
    parameters: parameters.map((tensor) => ({ ...tensor, gradient: gradients.get(tensor.name)! })),
    target: target.value,
  });
  publishAll(graph, { loss, metric, gradients, next });
  const { nodes, constants } = graph.finish();
  return ok({
    output,
    parameters,
    slots: slots.map((slot) => ({ ...slot, data: new Float32Array(shapeSize(slot.shape)) })),
    training: {
      source,
      floatType: type,
      nodes: [...source.nodes, ...nodes],
      constants: new Map([...source.initialisers, ...constants]),
      parameters: parameters.map((tensor) => ({ name: tensor.name, type, shape: tensor.shape })),
      slots: slots.map((slot) => ({ name: slot.name, type, shape: slot.shape })),
      target: target.value,
      terms,
      noisy,
    },
  });
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
