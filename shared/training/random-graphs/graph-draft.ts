import { type Random, seededRandom } from '../../basics/seeded-random.ts';
import type { Attributes } from '../model/attributes.ts';
import { dataType, type TensorProto } from '../model/onnx-proto.ts';
import { type FloatType, floatTensor, int64Tensor, shapeSize } from '../model/onnx-tensor.ts';
import type { Shape } from '../model/shape.ts';
import type { FixtureNode } from '../model-fixture.ts';

/** How many examples a run of the graph gets. */
export const ROWS = 3;

/** A float tensor in a graph to be. */
export interface Value {
  readonly name: string;
  readonly shape: readonly number[];
  /** Whether the first axis is the batch, which nothing may mix up or take for fixed. */
  readonly isBatched: boolean;
}

interface Made {
  readonly shape: readonly number[];
  readonly isBatched: boolean;
}

/** A graph that grows by random choices, all drawn from one seed. */
export interface GraphDraft {
  readonly type: FloatType;
  readonly opset: number;
  /** A whole number, both ends included. */
  int(from: number, to: number): number;
  isLucky(chance: number): boolean;
  oneOf<T>(choices: readonly T[]): T;
  /** One of the values there are, more likely a late one. */
  pick(fits?: (value: Value) => boolean): Value | undefined;
  /** What is fed: a batch. */
  input(name: string, shape: readonly number[]): Value;
  /** A value to train, uniform between -1 and 1. */
  parameter(shape: readonly number[]): Value;
  /** Constants that do not train. */
  ints(values: readonly number[], shape?: readonly number[]): string;
  floats(values: readonly number[], shape?: readonly number[]): string;
  /** Constants of float32, whatever the graph's type is. */
  scales(values: readonly number[]): string;
  /** Adds a node and its first output, a value; `others` follow, which nothing reads. */
  node(
    operator: string,
    inputs: readonly (Value | string)[],
    made: Made & { readonly attributes?: Attributes; readonly others?: number },
  ): Value;
  /** Adds a node of several outputs. */
  nodeOfMany(
    operator: string,
    inputs: readonly (Value | string)[],
    made: {
      readonly outputs: readonly Made[];
      readonly attributes?: Attributes;
      readonly others?: number;
    },
  ): Value[];
  /** Adds a node whose output, of the shape of `like`, is no value that `pick` knows. */
  aside(
    operator: string,
    inputs: readonly (Value | string)[],
    made: { readonly like: Value; readonly attributes?: Attributes },
  ): string;
  isTransposed(value: Value): boolean;
  readonly drawn: DrawnGraph;
}

export interface DrawnGraph {
  readonly nodes: FixtureNode[];
  readonly initialisers: TensorProto[];
  readonly frozen: string[];
  readonly shapes: Map<string, Shape>;
  readonly values: Value[];
  /** Names of the values that some node has read. */
  readonly read: Set<string>;
}

export function createGraphDraft(
  seed: number,
  { type, opset }: { type: FloatType; opset: number },
): GraphDraft {
  const random: Random = seededRandom(seed);
  const drawn: DrawnGraph = {
    nodes: [],
    initialisers: [],
    frozen: [],
    shapes: new Map(),
    values: [],
    read: new Set(),
  };
  const int = (from: number, to: number): number => from + Math.floor(random() * (to - from + 1));
  const oneOf = <T>(choices: readonly T[]): T => choices[int(0, choices.length - 1)]!;
  const nameOf = (input: Value | string): string => {
    if (typeof input === 'string') return input;
    drawn.read.add(input.name);
    return input.name;
  };
  const keep = (name: string, { shape, isBatched }: Made): Value => {
    const value = { name, shape, isBatched };
    drawn.values.push(value);
    drawn.shapes.set(name, isBatched ? [null, ...shape.slice(1)] : shape);
    return value;
  };
  const uniform = () => Math.fround(2 * random() - 1);
  const initialiser = (prefix: string, create: (name: string) => TensorProto): string => {
    const name = `${prefix}${drawn.initialisers.length}`;
    drawn.initialisers.push(create(name));
    return name;
  };
  const nodeOfMany: GraphDraft['nodeOfMany'] = (operator, inputs, made) => {
    const { outputs, attributes = {}, others = 0 } = made;
    const number = drawn.nodes.length;
    const count = outputs.length + others;
    const names = Array.from({ length: count }, (_, index) => `n${number}${'abcdefgh'[index]}`);
    drawn.nodes.push([operator, inputs.map(nameOf), names, attributes]);
    return outputs.map((output, index) => keep(names[index]!, output));
  };

  return {
    type,
    opset,
    drawn,
    int,
    oneOf,
    isLucky: (chance) => random() < chance,
    pick(fits = () => true) {
      const small = drawn.values.filter(({ shape }) => shape.length < 5 && shapeSize(shape) < 80);
      const fitting = small.filter(fits);
      if (fitting.length === 0) return undefined;
      const late = fitting.slice(-3);
      return random() < 0.7 ? oneOf(late) : oneOf(fitting);
    },
    input: (name, shape) => keep(name, { shape, isBatched: true }),
    parameter(shape) {
      const data = Float32Array.from({ length: shapeSize(shape) }, uniform);
      const name = initialiser('p', (name) => floatTensor(name, shape, { type, data }));
      return keep(name, { shape, isBatched: false });
    },
    ints: (values, shape = [values.length]) =>
      initialiser('i', (name) => int64Tensor(name, shape, values)),
    floats(values, shape = [values.length]) {
      const name = initialiser('c', (name) => floatTensor(name, shape, { type, data: values }));
      if (shape.length > 0) drawn.frozen.push(name);
      return name;
    },
    scales(values) {
      const float32 = { type: dataType.float32, data: values };
      const name = initialiser('c', (name) => floatTensor(name, [values.length], float32));
      if (type === dataType.float32) drawn.frozen.push(name);
      return name;
    },
    node(operator, inputs, { attributes = {}, others = 0, ...made }) {
      return nodeOfMany(operator, inputs, { outputs: [made], attributes, others })[0]!;
    },
    nodeOfMany,
    aside(operator, inputs, { like, attributes = {} }) {
      const name = `a${drawn.nodes.length}`;
      drawn.nodes.push([operator, inputs.map(nameOf), name, attributes]);
      drawn.shapes.set(name, drawn.shapes.get(like.name)!);
      return name;
    },
    isTransposed: ({ name }) =>
      drawn.nodes.some(([operator, , outputs]) => operator === 'Transpose' && outputs[0] === name),
  };
}
