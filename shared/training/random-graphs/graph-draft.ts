import { seededRandom } from '../../basics/seeded-random.ts';
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

interface DrawnGraph {
  readonly nodes: FixtureNode[];
  readonly initialisers: TensorProto[];
  readonly parameters: string[];
  readonly frozen: string[];
  readonly shapes: Map<string, Shape>;
  readonly values: Value[];
  /** Names of the values that some node has read. */
  readonly read: Set<string>;
}

/** The same calls on a draft of the same seed give the same graph. */
export function createGraphDraft(
  seed: number,
  { type, opset }: { type: FloatType; opset: number },
): GraphDraft {
  const choices = createChoices(seed);
  const drawn: DrawnGraph = {
    nodes: [],
    initialisers: [],
    parameters: [],
    frozen: [],
    shapes: new Map(),
    values: [],
    read: new Set(),
  };
  return {
    type,
    opset,
    drawn,
    ...choices,
    pick(fits = () => true) {
      const small = drawn.values.filter(({ shape }) => shape.length < 5 && shapeSize(shape) < 80);
      const fitting = small.filter(fits);
      if (fitting.length === 0) return undefined;
      return choices.oneOf(choices.isLucky(0.7) ? fitting.slice(-3) : fitting);
    },
    input: (name, shape) => keep(drawn, name, { shape, isBatched: true }),
    ...createInitialisers(drawn, type, choices),
    ...createNodes(drawn),
    isTransposed: ({ name }) =>
      drawn.nodes.some(([operator, , outputs]) => operator === 'Transpose' && outputs[0] === name),
  };
}

function createChoices(seed: number): Pick<GraphDraft, 'int' | 'isLucky' | 'oneOf'> {
  const random = seededRandom(seed);
  const int = (from: number, to: number): number => from + Math.floor(random() * (to - from + 1));
  return {
    int,
    isLucky: (chance) => random() < chance,
    oneOf: <T>(choices: readonly T[]): T => choices[int(0, choices.length - 1)]!,
  };
}

/** Makes a value known to `pick`. */
function keep(drawn: DrawnGraph, name: string, { shape, isBatched }: Made): Value {
  const value = { name, shape, isBatched };
  drawn.values.push(value);
  drawn.shapes.set(name, isBatched ? [null, ...shape.slice(1)] : shape);
  return value;
}

function createInitialisers(
  drawn: DrawnGraph,
  type: FloatType,
  { int }: Pick<GraphDraft, 'int'>,
): Pick<GraphDraft, 'parameter' | 'ints' | 'floats' | 'scales'> {
  const add = (prefix: string, create: (name: string) => TensorProto): string => {
    const name = `${prefix}${drawn.initialisers.length}`;
    drawn.initialisers.push(create(name));
    return name;
  };
  const constant = (values: readonly number[], shape: readonly number[], of: FloatType): string => {
    const name = add('c', (name) => floatTensor(name, shape, { type: of, data: values }));
    // The compiler takes a scalar for a constant by itself, and another float type.
    if (shape.length > 0 && of === type) drawn.frozen.push(name);
    return name;
  };
  return {
    parameter(shape) {
      const steps = 2 ** 20;
      const data = Array.from({ length: shapeSize(shape) }, () => int(-steps, steps) / steps);
      const name = add('p', (name) => floatTensor(name, shape, { type, data }));
      drawn.parameters.push(name);
      return keep(drawn, name, { shape, isBatched: false });
    },
    ints: (values, shape = [values.length]) => add('i', (name) => int64Tensor(name, shape, values)),
    floats: (values, shape = [values.length]) => constant(values, shape, type),
    scales: (values) => constant(values, [values.length], dataType.float32),
  };
}

function createNodes(drawn: DrawnGraph): Pick<GraphDraft, 'node' | 'nodeOfMany' | 'aside'> {
  const nameOf = (input: Value | string): string => {
    if (typeof input === 'string') return input;
    drawn.read.add(input.name);
    return input.name;
  };
  const nodeOfMany: GraphDraft['nodeOfMany'] = (operator, inputs, made) => {
    const { outputs, attributes = {}, others = 0 } = made;
    const number = drawn.nodes.length;
    const count = outputs.length + others;
    const names = Array.from({ length: count }, (_, index) => `n${number}${'abcdefgh'[index]}`);
    drawn.nodes.push([operator, inputs.map(nameOf), names, attributes]);
    return outputs.map((output, index) => keep(drawn, names[index]!, output));
  };
  return {
    nodeOfMany,
    node(operator, inputs, { attributes = {}, others = 0, ...made }) {
      return nodeOfMany(operator, inputs, { outputs: [made], attributes, others })[0]!;
    },
    aside(operator, inputs, { like, attributes = {} }) {
      const name = `a${drawn.nodes.length}`;
      drawn.nodes.push([operator, inputs.map(nameOf), name, attributes]);
      drawn.shapes.set(name, drawn.shapes.get(like.name)!);
      return name;
    },
  };
}
