import type { GraphBuilder } from '../graph-builder.ts';
import {
  type Attributes,
  floatAttribute,
  intAttribute,
  intsAttribute,
  stringAttribute,
} from '../model/attributes.ts';
import { dataType } from '../model/onnx-proto.ts';
import { opsetRange } from '../model/source-graph.ts';
import { constantInput, hasInput } from './constant-input.ts';
import type { Rule, RuleContext } from './rule.ts';

/**
 * Interpolation is linear in x and works axis by axis: y = x R along each, and so dX = dY R'. Row j
 * of R [size, new size] is what the runtime's own Resize makes of the unit vector j, so rounding
 * and borders are the forward pass's, in every mode.
 */
export const resizeRules: readonly Rule[] = [
  {
    operator: 'Resize',
    domain: '',
    opsets: opsetRange,
    shapes: ({ input, output }) => [input[0]!, output[0]!],
    refuses({ node }) {
      const crop = 'tf_crop_and_resize';
      if (stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel') === crop)
        return crop;
      const policy = stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch');
      return policy === 'stretch' ? undefined : `keep_aspect_ratio_policy "${policy}"`;
    },
    gradients(context, dY) {
      const axes = resizedAxes(context);
      return [axes.reduce((gradient, axis) => shrink(context, gradient, axis), dY)];
    },
  },
];

interface ResizedAxis {
  readonly axis: number;
  /** Its place in `scales` or `sizes`. */
  readonly at: number;
}

/** All that may change in size, which a batch on axis 0 never does. */
function resizedAxes(context: RuleContext): ResizedAxis[] {
  const { node, shapeOf } = context;
  const [from, to] = [shapeOf(node.input[0]!), shapeOf(node.output[0]!)];
  const scales = hasInput(context, 2) ? constantInput(context, 2) : undefined;
  const listed = intsAttribute(node, 'axes') ?? from.map((_, axis) => axis);
  return listed
    .map((axis, at) => ({ axis: axis < 0 ? axis + from.length : axis, at }))
    .filter(({ axis, at }) => {
      if (scales !== undefined) return scales[at] !== 1;
      if (from[axis] === null) return axis > 0;
      return hasInput(context, 2) || from[axis] !== to[axis];
    });
}

/** Multiplies by R' along one axis, as the last one. */
function shrink(context: RuleContext, gradient: string, resized: ResizedAxis): string {
  const { graph, node, shapeOf } = context;
  const { axis } = resized;
  const last = shapeOf(node.input[0]!).length - 1;
  const swapped = Array.from({ length: last + 1 }, (_, i) =>
    i === axis ? last : i === last ? axis : i,
  );
  const swap = (value: string): string =>
    axis === last ? value : graph.node('Transpose', [value], { perm: { ints: swapped } });
  const weights = graph.node('Transpose', [resizeMatrix(context, resized)], {
    perm: { ints: [1, 0] },
  });
  return swap(graph.node('MatMul', [swap(gradient), weights]));
}

/** R, by resizing the rows of the unit matrix, as an image of one channel. */
function resizeMatrix(context: RuleContext, { axis, at }: ResizedAxis): string {
  const { graph, node } = context;
  const [x, , scales = '', sizes = ''] = node.input as [string, string?, string?, string?];
  const size = graph.node('Shape', [x], { start: { int: axis }, end: { int: axis + 1 } });
  const square = graph.node('Concat', [size, size], { axis: { int: 0 } });
  const unit = graph.node('EyeLike', [graph.node('Expand', [graph.float(0), square])]);
  const image = graph.node('Unsqueeze', [unit, graph.ints([0, 1])]);
  const own = (of: string): string =>
    graph.node('Slice', [of, graph.ints([at]), graph.ints([at + 1])]);
  const join = (parts: string[]): string => graph.node('Concat', parts, { axis: { int: 0 } });
  const target = scales
    ? [join([ones(graph, 3), own(scales)])]
    : ['', join([graph.ints([1, 1]), size, own(sizes)])];
  const resized = graph.node('Resize', [image, '', ...target], resizeAttributes(context));
  return graph.node('Squeeze', [resized, graph.ints([0, 1])]);
}

/** Scales are float32, whatever is resized. */
function ones(graph: GraphBuilder, length: number): string {
  return graph.node('Expand', [graph.float(1, dataType.float32), graph.ints([length])]);
}

function resizeAttributes({ node, opset }: RuleContext): Attributes {
  const text = (name: string, fallback: string) => ({
    string: stringAttribute(node, name, fallback),
  });
  const attributes = {
    mode: text('mode', 'nearest'),
    nearest_mode: text('nearest_mode', 'round_prefer_floor'),
    coordinate_transformation_mode: text('coordinate_transformation_mode', 'half_pixel'),
    cubic_coeff_a: { float: floatAttribute(node, 'cubic_coeff_a', -0.75) },
    exclude_outside: { int: intAttribute(node, 'exclude_outside', 0) },
  };
  if (opset < 18) return attributes;
  return { ...attributes, antialias: { int: intAttribute(node, 'antialias', 0) } };
}
