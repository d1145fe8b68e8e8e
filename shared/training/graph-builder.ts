import { assert } from '../basics/assert.ts';
import { type Attributes, attributesToProto } from './model/attributes.ts';
import { NodeProto, type TensorProto } from './model/onnx-proto.ts';
import { type FloatType, floatTensor, int64Tensor } from './model/onnx-tensor.ts';
import { RESERVED_PREFIX } from './model/source-graph.ts';

/** What a builder has collected: nodes in the order they run in, and their constants. */
interface BuiltNodes {
  readonly nodes: readonly NodeProto[];
  readonly constants: ReadonlyMap<string, TensorProto>;
}

/**
 * Collects nodes and constants; names are numbered, so the same calls give the same graph. A value
 * is its name.
 */
export interface GraphBuilder {
  /** The element type of everything that is differentiated. */
  readonly floatType: FloatType;
  /** Adds a node with one output and returns that output. An input `''` is one left out. */
  node(operator: string, inputs: readonly string[], attributes?: Attributes): string;
  /** Adds a node with the outputs named. */
  nodeWithOutputs(spec: NodeSpec): void;
  /** A scalar of `floatType`, or of another float type. */
  float(value: number, type?: FloatType): string;
  /** A one-dimensional int64 constant, such as a list of axes. */
  ints(values: readonly number[]): string;
  /** Gives `value` a name of its own in the finished graph, for an output. */
  publish(value: string, name: string): void;
  finish(): BuiltNodes;
}

interface NodeSpec {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Attributes;
}

/** `prefix` keeps the names of a graph apart from those of the graph it runs in. */
export function createGraphBuilder(floatType: FloatType, prefix = RESERVED_PREFIX): GraphBuilder {
  const nodes: NodeSpec[] = [];
  const constants = new Map<string, TensorProto>();
  const made = new Set<string>();
  const published = new Map<string, string>();

  const constant = (name: string, create: (name: string) => TensorProto): string => {
    if (!constants.has(name)) constants.set(name, create(name));
    return name;
  };
  const nodeWithOutputs = (spec: NodeSpec): void => {
    nodes.push(spec);
    for (const output of spec.outputs) made.add(output);
  };

  return {
    floatType,
    nodeWithOutputs,
    node(operator, inputs, attributes = {}) {
      const output = `${prefix}${operator}_${nodes.length}`;
      nodeWithOutputs({ operator, inputs, outputs: [output], attributes });
      return output;
    },
    float: (value, type = floatType) =>
      constant(`${prefix}float${type}/${value}`, (name) =>
        floatTensor(name, [], { type, data: [value] }),
      ),
    ints: (values) =>
      constant(`${prefix}ints/${values.join('_')}`, (name) =>
        int64Tensor(name, [values.length], values),
      ),
    publish(value, name) {
      // What the builder has not made, or has published already, is copied.
      if (made.has(value) && !published.has(value)) published.set(value, name);
      else nodeWithOutputs({ operator: 'Identity', inputs: [value], outputs: [name] });
    },
    finish() {
      const final = (value: string): string => published.get(value) ?? value;
      assert(new Set(published.values()).size === published.size, 'each name is published once');
      return {
        constants,
        nodes: nodes.map(({ operator, inputs, outputs, attributes = {} }) =>
          NodeProto.create({
            name: outputs.map(final)[0]!,
            opType: operator,
            input: inputs.map(final),
            output: outputs.map(final),
            attribute: attributesToProto(attributes),
          }),
        ),
      };
    },
  };
}

/** The same builder for a part of the model that calculates in another float type. */
export function withFloatType(graph: GraphBuilder, floatType: FloatType): GraphBuilder {
  if (floatType === graph.floatType) return graph;
  return { ...graph, floatType, float: (value, type = floatType) => graph.float(value, type) };
}
