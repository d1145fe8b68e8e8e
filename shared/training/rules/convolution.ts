import type { GraphBuilder } from '../graph-builder.ts';
import { intAttribute } from '../model/attributes.ts';
import type { NodeProto } from '../model/onnx-proto.ts';
import { opsetRange } from '../model/source-graph.ts';
import { weightGradient } from './convolution-weights.ts';
import type { Rule, RuleContext } from './rule.ts';
import {
  refusesUnknownWindows,
  statedPads,
  unusedEnds,
  type WindowAxis,
  windowAxes,
} from './windows.ts';

/**
 * Convolutions over one spatial axis or more (ONNX Conv, ConvTranspose). Each is the adjoint of the
 * other, so one gives the gradient by the other's data, and both share that by the weights.
 */
export const convolutionRules: readonly Rule[] = [
  {
    operator: 'Conv',
    domain: '',
    opsets: opsetRange,
    shapes,
    refuses: refusesUnknownWindows(convWindows),
    gradients: convGradients,
  },
  {
    operator: 'ConvTranspose',
    domain: '',
    opsets: opsetRange,
    shapes,
    refuses: refusesUnknownWindows(convTransposeWindows),
    gradients: convTransposeGradients,
  },
];

function shapes({ input, output }: NodeProto): string[] {
  return [input[0]!, input[1]!, output[0]!];
}

function convWindows({ node, shapeOf }: RuleContext): WindowAxis[] | undefined {
  const kernel = shapeOf(node.input[1]!).slice(2) as number[];
  return windowAxes(node, {
    kernel,
    large: shapeOf(node.input[0]!),
    small: shapeOf(node.output[0]!),
  });
}

function convTransposeWindows({ node, shapeOf }: RuleContext): WindowAxis[] | undefined {
  const kernel = shapeOf(node.input[1]!).slice(2) as number[];
  return windowAxes(node, {
    kernel,
    large: shapeOf(node.output[0]!),
    small: shapeOf(node.input[0]!),
    transposed: true,
  });
}

/** X [N, C, ...], W [M, C / group, ...], B [M] -> Y [N, M, ...] */
function convGradients(context: RuleContext, dY: string): (string | undefined)[] {
  const { graph, node, wants, shapeOf } = context;
  const [x, w] = node.input as [string, string];
  const axes = convWindows(context)!;
  const group = intAttribute(node, 'group', 1);
  const dX = () => {
    const begun = axes.map((axis) => (axis.endVaries ? { ...axis, padEnd: 0 } : axis));
    const met = graph.node('ConvTranspose', [dY, w], {
      ...windowAttributes(begun, group),
      output_padding: { ints: unusedEnds(begun) },
    });
    return axes.some(({ endVaries }) => endVaries) ? endedAs(graph, met, x) : met;
  };
  const dW = () =>
    weightGradient(graph, {
      large: { value: x, shape: shapeOf(x) },
      small: { value: dY, shape: shapeOf(node.output[0]!) },
      weights: shapeOf(w) as number[],
      axes,
      group,
    });
  return [
    wants(0) ? dX() : undefined,
    wants(1) ? dW() : undefined,
    wants(2) ? biasGradient(context, dY, axes.length) : undefined,
  ];
}

/** X [N, C, ...], W [C, M / group, ...], B [M] -> Y [N, M, ...] */
function convTransposeGradients(context: RuleContext, dY: string): (string | undefined)[] {
  const { graph, node, wants, shapeOf } = context;
  const [x, w] = node.input as [string, string];
  const axes = convTransposeWindows(context)!;
  const group = intAttribute(node, 'group', 1);
  const dX = () => graph.node('Conv', [dY, w], windowAttributes(axes, group));
  const dW = () =>
    weightGradient(graph, {
      large: { value: dY, shape: shapeOf(node.output[0]!) },
      small: { value: x, shape: shapeOf(x) },
      weights: shapeOf(w) as number[],
      axes,
      group,
    });
  return [
    wants(0) ? dX() : undefined,
    wants(1) ? dW() : undefined,
    wants(2) ? biasGradient(context, dY, axes.length) : undefined,
  ];
}

function windowAttributes(axes: readonly WindowAxis[], group: number) {
  return {
    kernel_shape: { ints: axes.map(({ kernel }) => kernel) },
    strides: { ints: axes.map(({ stride }) => stride) },
    dilations: { ints: axes.map(({ dilation }) => dilation) },
    pads: { ints: statedPads(axes) },
    group: { int: group },
  };
}

/** `value` of the size of `whole`: with zeros at the end of each axis, or with its end cut off. */
function endedAs(graph: GraphBuilder, value: string, whole: string): string {
  const [from, to] = [value, whole].map((of) => graph.node('Shape', [of])) as [string, string];
  const ends = graph.node('Sub', [to, from]);
  const begins = graph.node('Sub', [to, to]);
  return graph.node('Pad', [value, graph.node('Concat', [begins, ends], { axis: { int: 0 } })]);
}

function biasGradient({ graph }: RuleContext, dY: string, spatialRank: number): string {
  const summed = [0, ...Array.from({ length: spatialRank }, (_, axis) => axis + 2)];
  return graph.node('ReduceSum', [dY, graph.ints(summed)], { keepdims: { int: 0 } });
}
