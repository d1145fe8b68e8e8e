import { floatAttribute, intAttribute } from '../model/attributes.ts';
import type { Shape } from '../model/shape.ts';
import { opsetRange } from '../model/source-graph.ts';
import { unbroadcast } from './broadcasting.ts';
import { channelwise, spatialAxes, sumPerChannel } from './channels.ts';
import { normalise } from './normalised.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';

/** Normalisation of each example on its own, then an element-wise scale and shift. */
export const normalisationRules: readonly Rule[] = [
  layerRule('LayerNormalization', { centred: true, opsets: opsetRange }),
  layerRule('RMSNormalization', { centred: false, opsets: { ...opsetRange, oldest: 23 } }),
  layerRule('SimplifiedLayerNormalization', { centred: false, opsets: opsetRange }),
  {
    operator: 'InstanceNormalization',
    domain: '',
    opsets: opsetRange,
    shapes: ({ input }) => [input[0]!],
    gradients: instanceGradients,
  },
  {
    operator: 'GroupNormalization',
    domain: '',
    opsets: { ...opsetRange, oldest: 18 },
    shapes: ({ input }) => [input[0]!],
    gradients: groupGradients,
  },
];

/**
 * LayerNormalization (Ba, Kiros & Hinton, arXiv 1607.06450) and RMSNormalization (Zhang & Sennrich,
 * arXiv 1910.07467), which ONNX Runtime also has under an older name: over all axes from `axis` on.
 */
function layerRule(
  operator: string,
  { centred, opsets }: { centred: boolean; opsets: Rule['opsets'] },
): Rule {
  return {
    operator,
    domain: '',
    opsets,
    shapes: ({ input }) => input.filter((name) => name !== ''),
    gradients({ graph, node, wants, shapeOf }, dY) {
      const [x, scale, bias] = node.input as [string, string, string | undefined];
      const shape = shapeOf(x);
      const axis = intAttribute(node, 'axis', -1);
      const first = axis < 0 ? axis + shape.length : axis;
      const axes = shape.flatMap((_, index) => (index >= first ? [index] : []));
      const epsilon = floatAttribute(node, 'epsilon', 1e-5);
      const { normal, gradient } = normalise(graph, x, { shape, axes, epsilon, centred });
      const sumAs = (value: string, like: string) =>
        unbroadcast(graph, value, { from: shape, to: shapeOf(like) });
      return [
        wants(0) ? gradient(graph.node('Mul', [dY, scale])) : undefined,
        wants(1) ? sumAs(graph.node('Mul', [dY, normal]), scale) : undefined,
        bias && wants(2) ? sumAs(dY, bias) : undefined,
      ];
    },
  };
}

/** Ulyanov, Vedaldi & Lempitsky, arXiv 1607.08022: X [N, C, ...] over the axes after C. */
function instanceGradients(context: RuleContext, dY: string): InputGradients {
  const { graph, node, shapeOf } = context;
  const shape = shapeOf(node.input[0]!);
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const axes = spatialAxes(shape);
  const parts = normalise(graph, node.input[0]!, { shape, axes, epsilon, centred: true });
  return channelGradients(context, { ...parts, dY, shape });
}

/**
 * Wu & He, arXiv 1803.08494: X [N, C, ...] over groups of channels and the axes after C. Scale and
 * shift are per group before operator set 21, per channel from there on.
 */
function groupGradients(context: RuleContext, dY: string): InputGradients {
  const { graph, node, opset, shapeOf } = context;
  const x = node.input[0]!;
  const groups = intAttribute(node, 'num_groups', 1);
  const inGroups = (value: string) => graph.node('Reshape', [value, graph.ints([0, groups, -1])]);
  const like = (value: string) => graph.node('Reshape', [value, graph.node('Shape', [x])]);
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const shape = [null, groups, null];
  const parts = normalise(graph, inGroups(x), { shape, axes: [2], epsilon, centred: true });
  if (opset < 21) {
    const [dX, ...others] = channelGradients(context, { ...parts, dY: inGroups(dY), shape });
    return [dX === undefined ? undefined : like(dX), ...others];
  }
  return channelGradients(context, {
    normal: like(parts.normal),
    gradient: (dNormal) => like(parts.gradient(inGroups(dNormal))),
    dY,
    shape: shapeOf(x),
  });
}

/** The gradients of `scale normal + shift`, both [C], by the input, the scale and the shift. */
export function channelGradients(
  { graph, node, wants }: RuleContext,
  parts: {
    readonly normal: string;
    readonly gradient: (dNormal: string) => string;
    readonly dY: string;
    readonly shape: Shape;
  },
): (string | undefined)[] {
  const { normal, gradient, dY, shape } = parts;
  const scale = channelwise(graph, node.input[1]!, shape);
  return [
    wants(0) ? gradient(graph.node('Mul', [dY, scale])) : undefined,
    wants(1) ? sumPerChannel(graph, graph.node('Mul', [dY, normal]), shape) : undefined,
    wants(2) ? sumPerChannel(graph, dY, shape) : undefined,
  ];
}
