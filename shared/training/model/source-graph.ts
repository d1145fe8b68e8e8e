import { ok, type Result } from '../../basics/result.ts';
import { refuse, type TrainingFailure } from '../training-failure.ts';
import { nodeSubgraphs, nodeTensors } from './attributes.ts';
import { type InitialiserRole, initialiserRoles } from './initialiser-roles.ts';
import { inlineFunctions } from './inline-functions.ts';
import {
  decodeModel,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from './onnx-proto.ts';
import { isExternal } from './onnx-tensor.ts';
import { raiseNode } from './raise-opset.ts';
import type { Port } from './shape.ts';
import { separateInitialisers } from './shared-initialisers.ts';
import { densify } from './sparse-initialisers.ts';
import { valueInfoToPort } from './value-info.ts';

/** The operator sets the rules are checked for; the runtime (1.30) takes no newer one. */
export const opsetRange = { oldest: 13, newest: 26 } as const;

/** Everything the compiler adds is named under this prefix, so it never meets a model's names. */
export const RESERVED_PREFIX = 'diten/';

/** A model as the compiler reads it: decoded, checked, with the batch free to vary. */
export interface SourceGraph {
  readonly model: ModelProto;
  /** Of the default operator domain. */
  readonly opset: number;
  /** In the order they run in. */
  readonly nodes: readonly NodeProto[];
  readonly initialisers: ReadonlyMap<string, TensorProto>;
  /** What the exporter says of initialisers, where it says anything. */
  readonly roles: ReadonlyMap<string, InitialiserRole>;
  /** What is fed at each run. Their first dimension, and the outputs', is taken for the batch. */
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/**
 * Decodes a model, inlines its functions, gives each parameter a tensor of its own, and checks what
 * the compiler relies on.
 *
 * Errors: `model-too-large`, `not-onnx`, `model-invalid`, `opset-unsupported`, `external-data`.
 */
export function readSourceGraph(bytes: Uint8Array): Result<SourceGraph, TrainingFailure> {
  const decoded = decodeModel(bytes);
  if (!decoded.ok) return decoded;
  const inlined = inlineFunctions(decoded.value, bytes);
  if (!inlined.ok) return inlined;
  const densified = densify(inlined.value);
  if (!densified.ok) return densified;
  const model = separateInitialisers(densified.value);
  const opset = operatorSet(model, '');
  if (opset < opsetRange.oldest || opset > opsetRange.newest) {
    return refuse(
      'opset-unsupported',
      `the model uses operator set ${opset}; export it with one of ${opsetRange.oldest} to ` +
        `${opsetRange.newest}`,
    );
  }
  const tensors = (model.graph?.initializer ?? []) as TensorProto[];
  const initialisers = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const written = (model.graph?.node ?? []) as NodeProto[];
  const nodes = written.map((node) => raiseNode(node, opset));
  const external = [...tensors, ...nodes.flatMap(nodeTensors)].find(isExternal);
  if (external !== undefined) {
    return refuse(
      'external-data',
      `the values of ${external.name || 'a constant'} lie in a file beside the model; save it ` +
        'with all data inside',
    );
  }
  const inputs = readPorts(model.graph?.input as ValueInfoProto[], (name) =>
    initialisers.has(name),
  );
  if (!inputs.ok) return inputs;
  const outputs = readPorts(model.graph?.output as ValueInfoProto[], () => false);
  if (!outputs.ok) return outputs;
  const ports = { inputs: inputs.value, outputs: outputs.value };
  const roles = initialiserRoles(bytes, initialisers.keys());
  return checkOrder({ model, opset, nodes, initialisers, roles, ...ports });
}

/** The version of `domain` that the model's nodes are written in; 0 where it is not imported. */
export function operatorSet(model: ModelProto, domain: string): number {
  const found = model.opsetImport.find((entry) => normalDomain(entry.domain ?? '') === domain);
  return Number(found?.version ?? 0);
}

/** `ai.onnx` is another spelling of the default domain. */
export function normalDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

/** The names of the values a node reads, with those its inner graphs take from outside. */
export function nodeReads(node: NodeProto): string[] {
  const inner = nodeSubgraphs(node).flatMap((graph) => {
    const nodes = graph.node as NodeProto[];
    const own = new Set([
      ...(graph.input ?? []).map(({ name }) => name),
      ...(graph.initializer ?? []).map(({ name }) => name),
      ...nodes.flatMap(({ output }) => output),
    ]);
    const reads = [...nodes.flatMap(nodeReads), ...(graph.output ?? []).map(({ name }) => name)];
    return reads.filter((name): name is string => typeof name === 'string' && !own.has(name));
  });
  return [...node.input, ...inner].filter((name) => name !== '');
}

function readPorts(
  infos: readonly ValueInfoProto[],
  skip: (name: string) => boolean,
): Result<Port[], TrainingFailure> {
  const ports: Port[] = [];
  for (const info of infos) {
    // Before IR version 4 initialisers were inputs too.
    if (skip(info.name)) continue;
    const port = valueInfoToPort(info);
    if (port === undefined) {
      return refuse(
        'model-invalid',
        `${info.name} is not a tensor with a stated number of dimensions; export it as one`,
      );
    }
    ports.push({ ...port, shape: port.shape.map((size, axis) => (axis === 0 ? null : size)) });
  }
  return ok(ports);
}

function checkOrder(source: SourceGraph): Result<SourceGraph, TrainingFailure> {
  const known = new Set([...source.inputs.map(({ name }) => name), ...source.initialisers.keys()]);
  for (const name of known) {
    if (name.startsWith(RESERVED_PREFIX)) return reserved(name);
  }
  for (const node of source.nodes) {
    const missing = nodeReads(node).find((name) => !known.has(name));
    if (missing !== undefined) {
      return refuse(
        'model-invalid',
        `node ${node.name || node.opType} reads ${missing}, which nothing before it makes; ` +
          'export the model again',
      );
    }
    for (const name of node.output) {
      if (name === '') continue;
      if (known.has(name)) {
        return refuse('model-invalid', `${name} is made twice; export the model again`);
      }
      if (name.startsWith(RESERVED_PREFIX)) return reserved(name);
      known.add(name);
    }
  }
  const unmade = source.outputs.find(({ name }) => !known.has(name));
  if (unmade === undefined) return ok(source);
  return refuse('model-invalid', `no node makes the output ${unmade.name}; export the model again`);
}

function reserved(name: string): Result<never, TrainingFailure> {
  return refuse(
    'model-invalid',
    `the name ${name} is one the compiler gives: train the original model, not a training graph`,
  );
}
