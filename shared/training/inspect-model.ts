import { ok, type Result } from '../basics/result.ts';
import { nodeFacts, unsupported } from './backward.ts';
import { usesBatchStatistics } from './batch-statistics.ts';
import { isExporterName } from './model/initialiser-roles.ts';
import { dataType, type NodeProto, type TensorProto } from './model/onnx-proto.ts';
import { isFloatType, shapeSize, tensorShape, tensorToFloat32 } from './model/onnx-tensor.ts';
import type { Port } from './model/shape.ts';
import { nodeReads, readSourceGraph, type SourceGraph } from './model/source-graph.ts';
import { readParameters } from './parameters.ts';
import { findRule } from './rules/rule-table.ts';
import type { NodeFacts, TrainingFailure } from './training-failure.ts';
import { parametersUpstream } from './upstream.ts';

/**
 * `trains`; `blocked`: an operator without a gradient rule stands between it and the output;
 * `unused`: the output does not depend on it; `carried`: a running statistic that training changes
 * without a gradient; `fixed`: of a type that never trains, or a constant or a measurement.
 */
type ParameterState = 'trains' | 'blocked' | 'unused' | 'carried' | 'fixed';

interface InspectedParameter extends Port {
  readonly size: number;
  readonly state: ParameterState;
  /**
   * Whether it trains though it looks like a constant: the exporter named it, it holds one value
   * only, once or many times, and the file says of none what it is.
   */
  readonly isSuspect: boolean;
}

/** How often an operator occurs, and how often between a parameter and the output. */
interface InspectedOperator {
  readonly operator: string;
  readonly domain: string;
  readonly opset: number;
  readonly count: number;
  readonly countOnPath: number;
  readonly isSupported: boolean;
}

/** A node that keeps parameters from training. */
interface Blocker {
  readonly node: NodeFacts;
  readonly parameters: readonly string[];
}

export interface ModelInspection {
  readonly opset: number;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly parameters: readonly InspectedParameter[];
  readonly operators: readonly InspectedOperator[];
  readonly blockers: readonly Blocker[];
}

interface InspectOptions {
  /** The output that is trained; the first one unless given. */
  readonly output?: string;
  /** Parameters that keep their values. */
  readonly frozen?: readonly string[];
}

/**
 * What a model is made of and what of it can train. A rule can still refuse a use of its operator:
 * compiling tells.
 *
 * Errors: those of `readSourceGraph`, `model-invalid`, `unknown-parameter`.
 */
export function inspectModel(
  modelBytes: Uint8Array,
  options: InspectOptions = {},
): Result<ModelInspection, TrainingFailure> {
  const path = trainedPath(modelBytes, options);
  if (!path.ok) return path;
  const { source, candidates, reaching, nodes } = path.value;
  const blockers = blockersOf(path.value);
  const blocked = new Set(blockers.flatMap(({ parameters }) => parameters));
  const carried = new Set(
    source.nodes.filter(usesBatchStatistics).flatMap(({ input }) => input.slice(3)),
  );
  const stateOf = (name: string): ParameterState => {
    if (carried.has(name) && !options.frozen?.includes(name)) return 'carried';
    if (!candidates.has(name)) return 'fixed';
    if (!reaching.has(name)) return 'unused';
    return blocked.has(name) ? 'blocked' : 'trains';
  };
  const operators = new Map<string, InspectedOperator>();
  for (const node of source.nodes) {
    const { operator, domain, opset } = nodeFacts(node, source);
    const key = `${domain}:${operator}`;
    const { count, countOnPath } = operators.get(key) ?? { count: 0, countOnPath: 0 };
    operators.set(key, {
      operator,
      domain,
      opset,
      count: count + 1,
      countOnPath: countOnPath + (nodes.has(node) ? 1 : 0),
      isSupported: findRule(node, opset) !== undefined,
    });
  }
  return ok({
    opset: source.opset,
    inputs: source.inputs,
    outputs: source.outputs,
    operators: [...operators.values()].sort((a, b) => b.count - a.count),
    blockers,
    parameters: [...source.initialisers.values()].map((tensor) => {
      const shape = tensorShape(tensor);
      const { name, dataType: type } = tensor;
      const state = stateOf(name);
      const isSuspect = state === 'trains' && source.roles.size === 0 && looksConstant(tensor);
      return { name, type, shape, size: shapeSize(shape), state, isSuspect };
    }),
  });
}

/** Parameters that look like constants of the exporter's: what to freeze, if they are. */
export function suspectParameters(modelBytes: Uint8Array, options: InspectOptions = {}): string[] {
  const inspection = inspectModel(modelBytes, options);
  if (!inspection.ok) return [];
  return inspection.value.parameters.filter(({ isSuspect }) => isSuspect).map(({ name }) => name);
}

function looksConstant(tensor: TensorProto): boolean {
  if (!isExporterName(tensor.name)) return false;
  const values = tensorToFloat32(tensor);
  return values?.every((value) => value === values[0]) ?? false;
}

/** The refusal of the last node without a rule on the way to the output, where there is one. */
export function findBlocker(
  modelBytes: Uint8Array,
  options: InspectOptions = {},
): Result<never, TrainingFailure> | undefined {
  const path = trainedPath(modelBytes, options);
  if (!path.ok) return path;
  const last = blockersOf(path.value).at(-1);
  return last && unsupported(last.node, last.parameters);
}

/** What stands between the parameters and the output. */
interface TrainedPath {
  readonly source: SourceGraph;
  /** The parameters that would train. */
  readonly candidates: ReadonlySet<string>;
  /** Those of them the output depends on. */
  readonly reaching: ReadonlySet<string>;
  readonly upstream: ReturnType<typeof parametersUpstream>;
  readonly nodes: ReadonlySet<NodeProto>;
}

function trainedPath(
  modelBytes: Uint8Array,
  { output: wanted, frozen = [] }: InspectOptions,
): Result<TrainedPath, TrainingFailure> {
  const read = readSourceGraph(modelBytes);
  if (!read.ok) return read;
  const source = read.value;
  const output = source.outputs.find(({ name }) => name === wanted) ?? source.outputs[0]!;
  // Nothing trains behind an output of another type.
  const floatType = isFloatType(output.type) ? output.type : dataType.float32;
  const found = readParameters(source, { floatType, frozen });
  if (!found.ok) return found;
  const parameters = found.value.map(({ name }) => name);
  const upstream = parametersUpstream(source, { parameters, type: floatType });
  const needed = new Set([output.name]);
  const nodes = new Set<NodeProto>();
  for (const node of source.nodes.toReversed()) {
    if (!node.output.some((name) => needed.has(name))) continue;
    for (const name of nodeReads(node)) needed.add(name);
    if (node.output.some((name) => needed.has(name) && upstream.has(name))) nodes.add(node);
  }
  const reaching = upstream.get(output.name)?.parameters ?? new Set();
  return ok({ source, candidates: new Set(parameters), reaching, upstream, nodes });
}

function blockersOf({ source, upstream, nodes }: TrainedPath): Blocker[] {
  return source.nodes.flatMap((node) => {
    const facts = nodeFacts(node, source);
    if (!nodes.has(node) || findRule(node, facts.opset) !== undefined) return [];
    const read = nodeReads(node).flatMap((name) => [...(upstream.get(name)?.parameters ?? [])]);
    return [{ node: facts, parameters: [...new Set(read)] }];
  });
}
