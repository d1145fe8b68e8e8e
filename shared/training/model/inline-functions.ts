import { ok, type Result } from '../../basics/result.ts';
import { refuse, type TrainingFailure } from '../training-failure.ts';
import { nodeSubgraphs } from './attributes.ts';
import { functionDefaults } from './function-defaults.ts';
import {
  AttributeProto,
  type FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  ValueInfoProto,
} from './onnx-proto.ts';

/** More nodes than this cannot come of an honest model: functions that call functions multiply. */
const nodesMax = 100_000;

/** A function of the model, ready to take the place of its calls. */
interface LocalFunction {
  readonly proto: FunctionProto;
  readonly nodes: readonly NodeProto[];
  readonly defaults: readonly AttributeProto[];
}

type LocalFunctions = ReadonlyMap<string, LocalFunction>;

/**
 * The model without functions of its own (ONNX IR, Model Local Functions): the nodes of each take
 * the place of its calls, also in inner graphs, with fresh names that begin with the call's.
 * `bytes` are those the model was decoded from.
 *
 * Errors: `not-onnx`, `model-invalid`, `model-too-large`, `opset-unsupported`.
 */
export function inlineFunctions(
  model: ModelProto,
  bytes: Uint8Array,
): Result<ModelProto, TrainingFailure> {
  if (model.functions.length === 0) return ok(model);
  const read = readFunctions(model, bytes);
  if (!read.ok) return read;
  const functions = read.value;
  const graph = GraphProto.create({ ...model.graph });
  const callers: [string, readonly NodeProto[]][] = [['the graph', graph.node as NodeProto[]]];
  for (const [key, { nodes }] of functions) callers.push([key, nodes]);
  const failure = findFault(new Map(callers), functions);
  if (failure !== undefined) return failure;
  const imports = mergeImports(model, functions);
  if (!imports.ok) return imports;
  const inliner = { functions, used: new Set(namesIn(graph)) };
  graph.node = expand(graph.node as NodeProto[], inliner, outermost);
  return ok(ModelProto.create({ ...model, graph, functions: [], opsetImport: imports.value }));
}

function functionKey({ domain, name }: { domain: string; name: string }): string {
  return `${domain === 'ai.onnx' ? '' : domain}:${name}`;
}

function callKey({ domain, opType }: NodeProto): string {
  return functionKey({ domain, name: opType });
}

function readFunctions(
  model: ModelProto,
  bytes: Uint8Array,
): Result<LocalFunctions, TrainingFailure> {
  const functions = new Map<string, LocalFunction>();
  let defaults: Map<string, AttributeProto[]>;
  try {
    defaults = functionDefaults(bytes);
  } catch (cause) {
    const { message } = cause as Error;
    return refuse(
      'not-onnx',
      `the functions of the model are not protobuf (${message}); check the file and its transfer`,
    );
  }
  for (const proto of model.functions as FunctionProto[]) {
    const key = functionKey(proto);
    if (functions.has(key)) {
      return refuse(
        'model-invalid',
        `the model has two functions ${key}; inline its functions when exporting it`,
      );
    }
    functions.set(key, {
      proto,
      nodes: proto.node as NodeProto[],
      defaults: defaults.get(`${proto.domain}:${proto.name}`) ?? [],
    });
  }
  return ok(functions);
}

/** A function that calls itself, or calls that multiply beyond measure. */
function findFault(
  callers: ReadonlyMap<string, readonly NodeProto[]>,
  functions: LocalFunctions,
): Result<never, TrainingFailure> | undefined {
  /** How many nodes each becomes; NaN while it is being counted. */
  const counts = new Map<string, number>();
  let recursive: string | undefined;
  const countOf = (caller: string): number => {
    const known = counts.get(caller);
    if (known !== undefined) {
      if (Number.isNaN(known)) recursive ??= caller;
      return known;
    }
    counts.set(caller, Number.NaN);
    let count = 0;
    for (const node of withInnerNodes(callers.get(caller) ?? [])) {
      count += functions.has(callKey(node)) ? countOf(callKey(node)) : 1;
    }
    counts.set(caller, count);
    return count;
  };
  const total = countOf('the graph');
  if (recursive !== undefined) {
    return refuse(
      'model-invalid',
      `the function ${recursive} calls itself, which ONNX does not allow; export the model again`,
    );
  }
  if (total <= nodesMax) return undefined;
  return refuse(
    'model-too-large',
    `the model has ${total} nodes with its functions inlined, more than ${nodesMax}; use a ` +
      'smaller one',
  );
}

function withInnerNodes(nodes: readonly NodeProto[]): NodeProto[] {
  return nodes.flatMap((node) => [
    node,
    ...nodeSubgraphs(node).flatMap((graph) => withInnerNodes(graph.node as NodeProto[])),
  ]);
}

/** The model's operator sets, with those that only its functions import. */
function mergeImports(
  model: ModelProto,
  functions: LocalFunctions,
): Result<ModelProto['opsetImport'], TrainingFailure> {
  const normal = (domain: string | null | undefined) => (domain === 'ai.onnx' ? '' : domain || '');
  const merged = [...model.opsetImport];
  for (const [key, { proto, nodes }] of functions) {
    const operators = withInnerNodes(nodes).filter((node) => !functions.has(callKey(node)));
    const domains = new Set(operators.map(({ domain }) => normal(domain)));
    for (const entry of proto.opsetImport) {
      const domain = normal(entry.domain);
      if (!domains.has(domain)) continue;
      const found = merged.find((other) => normal(other.domain) === domain);
      if (found === undefined) merged.push(entry);
      else if (Number(found.version) !== Number(entry.version)) {
        return refuse(
          'opset-unsupported',
          `the function ${key} is written in operator set ${entry.version} of ` +
            `${domain || 'ai.onnx'} and the model in ${found.version}; export both in the same, ` +
            'or with functions inlined',
        );
      }
    }
  }
  return ok(merged);
}

/** What the nodes of one body go by where they are put. */
interface Scope {
  rename(name: string): string;
  /** The attributes of the call, by name. */
  readonly attributes: ReadonlyMap<string, AttributeProto>;
  /** Begins the names of its nodes; '' for the model's own graph. */
  readonly path: string;
}

interface Inliner {
  readonly functions: LocalFunctions;
  /** Every name there is. */
  readonly used: Set<string>;
}

const outermost: Scope = { rename: (name) => name, attributes: new Map(), path: '' };

function expand(nodes: readonly NodeProto[], inliner: Inliner, scope: Scope): NodeProto[] {
  return nodes.flatMap((node) => {
    const placed = NodeProto.create({
      ...node,
      name: scope.path + node.name,
      input: node.input.map(scope.rename),
      output: node.output.map(scope.rename),
      attribute: placeAttributes(node, inliner, scope),
    });
    const called = inliner.functions.get(callKey(placed));
    return called === undefined ? [placed] : expandCall(placed, called, inliner);
  });
}

function expandCall(call: NodeProto, called: LocalFunction, inliner: Inliner): NodeProto[] {
  const { proto, nodes, defaults } = called;
  const path = `${call.name || call.output.find((name) => name !== '') || call.opType}/`;
  const names = new Map([['', '']]);
  proto.input.forEach((name, index) => {
    names.set(name, call.input[index] ?? '');
  });
  proto.output.forEach((name, index) => {
    const given = call.output[index] ?? '';
    if (given !== '') names.set(name, given);
  });
  const rename = (name: string): string => {
    const known = names.get(name);
    if (known !== undefined) return known;
    const fresh = freshName(path + name, inliner.used);
    names.set(name, fresh);
    return fresh;
  };
  const attributes = new Map(
    [...defaults, ...(call.attribute as AttributeProto[])].map((entry) => [entry.name, entry]),
  );
  return expand(nodes, inliner, { rename, attributes, path });
}

function freshName(wanted: string, used: Set<string>): string {
  let name = wanted;
  for (let number = 2; used.has(name); number++) name = `${wanted}_${number}`;
  used.add(name);
  return name;
}

/** A reference to an attribute of the call becomes its value, or goes where the call has none. */
function placeAttributes(node: NodeProto, inliner: Inliner, scope: Scope): AttributeProto[] {
  return (node.attribute as AttributeProto[]).flatMap((attribute) => {
    const { name, refAttrName, g, graphs } = attribute;
    if (refAttrName) {
      const given = scope.attributes.get(refAttrName);
      return given === undefined ? [] : [AttributeProto.create({ ...given, name })];
    }
    const place = (graph: GraphProto) => placeGraph(graph, inliner, scope);
    return [
      AttributeProto.create({
        ...attribute,
        ...(g && { g: place(g as GraphProto) }),
        ...(graphs.length > 0 && { graphs: graphs.map((graph) => place(graph as GraphProto)) }),
      }),
    ];
  });
}

function placeGraph(graph: GraphProto, inliner: Inliner, scope: Scope): GraphProto {
  const renamed = <T extends { name?: string | null }>(entry: T): T => ({
    ...entry,
    name: scope.rename(entry.name ?? ''),
  });
  return GraphProto.create({
    ...graph,
    input: (graph.input ?? []).map((port) => ValueInfoProto.create(renamed(port))),
    initializer: (graph.initializer ?? []).map(renamed),
    node: expand(graph.node as NodeProto[], inliner, scope),
    output: (graph.output ?? []).map((port) => ValueInfoProto.create(renamed(port))),
  });
}

/** Every name in a graph, inner graphs included. */
function namesIn(graph: GraphProto): string[] {
  const nodes = graph.node as NodeProto[];
  return [
    ...(graph.input ?? []).map(({ name }) => name ?? ''),
    ...(graph.initializer ?? []).map(({ name }) => name ?? ''),
    ...nodes.flatMap(({ output }) => output),
    ...nodes.flatMap(nodeSubgraphs).flatMap(namesIn),
  ];
}
