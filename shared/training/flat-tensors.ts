import type { GraphBuilder } from './graph-builder.ts';
import { shapeSize } from './model/onnx-tensor.ts';
import { RESERVED_PREFIX } from './model/source-graph.ts';
import type { OptimisedParameter } from './optimisers.ts';

/** One tensor, or several laid end to end as a vector. */
export interface Stack {
  /** Of the one tensor; `undefined` for several. */
  readonly name?: string;
  readonly shape: readonly number[];
  readonly gradient: string;
  readonly members: readonly OptimisedParameter[];
}

/** Above it laying out costs what it saves: measured with Adam on MLPs of 4 to 10 tensors. */
const SMALL_SIZE_MAX = 16_384;

/**
 * Puts the gradients of small tensors into one vector, so that an update of many nodes runs once
 * for all of them: there the time goes into starting nodes, not into numbers. A step of Adam took
 * 25 us so instead of 34 on an MLP of 16-16-4, and 48 instead of 78 with ten such tensors; with
 * fewer nodes, as in gradient descent, laying out costs more than it saves.
 */
export function stackSmall(
  graph: GraphBuilder,
  parameters: readonly OptimisedParameter[],
): Stack[] {
  const isSmall = ({ shape }: OptimisedParameter) => shapeSize(shape) <= SMALL_SIZE_MAX;
  const small = parameters.filter(isSmall);
  const alone = small.length < 2 ? parameters : parameters.filter((each) => !isSmall(each));
  const stacks = alone.map((parameter) => ({ ...parameter, members: [parameter] }));
  if (small.length < 2) return stacks;
  const vectors = small.map(({ gradient }) => graph.node('Reshape', [gradient, graph.ints([-1])]));
  const gradient = graph.node('Concat', vectors, { axis: { int: 0 } });
  const size = sizes(small).reduce((sum, each) => sum + each, 0);
  return [{ shape: [size], gradient, members: small }, ...stacks];
}

/** Takes a value of a stack's shape apart: each member's name and its part, of its own shape. */
export function splitBack(
  graph: GraphBuilder,
  { name, members }: Stack,
  value: string,
): readonly (readonly [name: string, part: string])[] {
  if (name !== undefined) return [[name, value]];
  const parts = members.map((member) => `${RESERVED_PREFIX}part/${member.name}`);
  graph.nodeWithOutputs({
    operator: 'Split',
    inputs: [value, graph.ints(sizes(members))],
    outputs: parts,
    attributes: { axis: { int: 0 } },
  });
  return members.map((member, index) => [
    member.name,
    graph.node('Reshape', [parts[index]!, graph.ints(member.shape)]),
  ]);
}

function sizes(members: readonly OptimisedParameter[]): number[] {
  return members.map(({ shape }) => shapeSize(shape));
}
