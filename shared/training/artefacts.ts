import {
  dataName,
  finalName,
  gradientName,
  initialName,
  nextName,
  noiseName,
  noisesName,
  portNames,
} from './artefact-names.ts';
import { type GraphPlan, graphToModel, planToGraph } from './emit-graph.ts';
import { createGraphBuilder } from './graph-builder.ts';
import { dataType, encodeModel, type NodeProto, type TensorProto } from './model/onnx-proto.ts';
import { type FloatType, floatTensor } from './model/onnx-tensor.ts';
import type { Port } from './model/shape.ts';
import { RESERVED_PREFIX, type SourceGraph } from './model/source-graph.ts';

export type ArtefactName = 'gradients' | 'step' | 'epoch' | 'evaluate' | 'predict';

/** What a training graph takes and gives, in order. */
export interface ArtefactPorts {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** The differentiated model: every node there is, from which each artefact takes its own. */
export interface TrainingNodes {
  readonly source: SourceGraph;
  readonly floatType: FloatType;
  readonly nodes: readonly NodeProto[];
  /** The same, with the model's part as it is used after training. */
  readonly inferenceNodes: readonly NodeProto[];
  readonly constants: ReadonlyMap<string, TensorProto>;
  readonly parameters: readonly Port[];
  /** What a step changes without a gradient: running statistics. */
  readonly statistics: readonly Port[];
  readonly slots: readonly Port[];
  readonly target: Port;
  /** Further inputs of a step, the same in all steps of an epoch. */
  readonly terms: readonly Port[];
  /** The parameters that take noise in every step. */
  readonly noisy: readonly string[];
}

/** The plans of all five training graphs: see each below. */
export function planArtefacts(training: TrainingNodes): Record<ArtefactName, GraphPlan> {
  return {
    gradients: planGradients(training),
    step: planStep(training),
    epoch: planEpoch(training),
    evaluate: planEvaluate(training),
    predict: planPredict(training),
  };
}

export function planToBytes(plan: GraphPlan, source: SourceGraph): Uint8Array<ArrayBuffer> {
  return encodeModel(graphToModel(planToGraph(plan), source));
}

/** parameters, x, target, weights -> loss, d loss / d parameter */
function planGradients(training: TrainingNodes): GraphPlan {
  const { parameters, source, target, nodes, constants, floatType } = training;
  const { rate } = portNames;
  // Where the gradients are a step's moves, they are themselves at this rate.
  const upwards = floatTensor(rate, [], { type: floatType, data: [-1] });
  return {
    name: 'gradients',
    nodes,
    constants: new Map([...constants, [rate, upwards]]),
    inputs: [...parameters, ...source.inputs, target, weightsPort(training)],
    outputs: [
      scalar(portNames.loss, training),
      ...parameters.map((port) => renamed(port, gradientName)),
    ],
  };
}

/**
 * states (parameters, statistics, slots), x, target, weights, rate, terms, noise -> loss, the next
 * states
 */
function planStep(training: TrainingNodes): GraphPlan {
  const { source, target, nodes, constants } = training;
  const states = statesOf(training);
  return {
    name: 'step',
    nodes,
    constants,
    inputs: [
      ...states,
      ...source.inputs,
      target,
      weightsPort(training),
      scalar(portNames.rate, training),
      ...training.terms,
      ...noisePorts(training),
    ],
    outputs: [scalar(portNames.loss, training), ...states.map((port) => renamed(port, nextName))],
  };
}

/** parameters, statistics, X, T, weights -> loss, metric */
function planEvaluate(training: TrainingNodes): GraphPlan {
  const { parameters, statistics, source, target, inferenceNodes, constants } = training;
  return {
    name: 'evaluate',
    nodes: inferenceNodes,
    constants,
    inputs: [...parameters, ...statistics, ...source.inputs, target, weightsPort(training)],
    outputs: [scalar(portNames.loss, training), scalar(portNames.metric, training)],
  };
}

/** parameters, statistics, x -> the model's outputs */
function planPredict(training: TrainingNodes): GraphPlan {
  const { source, parameters, statistics, inferenceNodes, constants } = training;
  return {
    name: 'predict',
    nodes: inferenceNodes,
    constants,
    inputs: [...parameters, ...statistics, ...source.inputs],
    outputs: source.outputs,
  };
}

/**
 * states, X [N, ...], T [N, ...], order [M, B], rates [M], terms, noises [M, ...] -> losses [M],
 * the next states (parameters, statistics, slots). A Scan over the M minibatches whose body is the
 * step, so a whole chunk of training is one call. M must be 1 or more (ONNX Runtime refuses to scan
 * over nothing), and each minibatch must hold a row. Rows of -1 count for nothing: the first row of
 * the data stands in for them, and their weight is 0, in the statistics of a batch normalisation
 * too.
 */
function planEpoch(training: TrainingNodes): GraphPlan {
  const { source, target, floatType } = training;
  const states = statesOf(training);
  const examples = [...source.inputs, target];
  const order: Port = { name: portNames.order, type: dataType.int64, shape: [null, null] };
  const rates: Port = { name: portNames.rates, type: floatType, shape: [null] };
  const losses: Port = { name: portNames.losses, type: floatType, shape: [null] };
  const graph = createGraphBuilder(floatType, `${RESERVED_PREFIX}epoch/`);

  const zero = graph.ints([0]);
  const isRow = graph.node('GreaterOrEqual', [order.name, zero]);
  const mask = graph.node('Cast', [isRow], { to: { int: floatType } });
  const rowCounts = graph.node('ReduceSum', [mask, graph.ints([1])], { keepdims: { int: 1 } });
  const weights = graph.node('Div', [mask, rowCounts]);
  const rows = graph.node('Max', [order.name, zero]);
  const finals = states.map((port) => renamed(port, finalName));
  const noises = training.noisy.map(noisesName);
  graph.nodeWithOutputs({
    operator: 'Scan',
    inputs: [...states.map(({ name }) => initialName(name)), rows, weights, rates.name, ...noises],
    outputs: [...finals.map(({ name }) => name), losses.name],
    attributes: {
      body: { graph: planToGraph(planBody(training)) },
      num_scan_inputs: { int: 3 + noises.length },
    },
  });
  const { nodes, constants } = graph.finish();
  return {
    name: 'epoch',
    nodes,
    constants,
    inputs: [
      ...states.map((port) => renamed(port, initialName)),
      ...examples.map((port) => renamed(port, dataName)),
      order,
      rates,
      ...training.terms,
      ...noisePorts(training).map((port, index) => ({
        ...port,
        name: noises[index]!,
        shape: [null, ...port.shape],
      })),
    ],
    outputs: [losses, ...finals],
  };
}

/** One pass of the Scan: gathers the minibatch from the data outside, then the step. */
function planBody(training: TrainingNodes): GraphPlan {
  const { source, target, floatType, nodes, constants } = training;
  const states = statesOf(training);
  const rows: Port = { name: `${portNames.order}/rows`, type: dataType.int64, shape: [null] };
  const gather = createGraphBuilder(floatType);
  for (const { name } of [...source.inputs, target]) {
    gather.nodeWithOutputs({
      operator: 'Gather',
      inputs: [dataName(name), rows.name],
      outputs: [name],
    });
  }
  return {
    name: 'minibatch',
    nodes: [...gather.finish().nodes, ...nodes],
    constants,
    inputs: [
      ...states,
      rows,
      weightsPort(training),
      scalar(portNames.rate, training),
      ...noisePorts(training),
    ],
    outputs: [...states.map((port) => renamed(port, nextName)), scalar(portNames.loss, training)],
  };
}

function statesOf({ parameters, statistics, slots }: TrainingNodes): Port[] {
  return [...parameters, ...statistics, ...slots];
}

function noisePorts({ parameters, noisy }: TrainingNodes): Port[] {
  return parameters
    .filter(({ name }) => noisy.includes(name))
    .map((port) => renamed(port, noiseName));
}

function renamed(port: Port, rename: (name: string) => string): Port {
  return { ...port, name: rename(port.name) };
}

function scalar(name: string, { floatType }: TrainingNodes): Port {
  return { name, type: floatType, shape: [] };
}

function weightsPort({ floatType }: TrainingNodes): Port {
  return { name: portNames.weights, type: floatType, shape: [null] };
}
