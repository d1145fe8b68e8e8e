import { intAttribute, intsAttribute } from '../model/attributes.ts';
import { opsetRange } from '../model/source-graph.ts';
import { sizeRatio } from './averages.ts';
import { maxPoolRule } from './max-pool.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';
import { statedPads, unusedEnds, type WindowAxis, windowAxes } from './windows.ts';

/** Pools over windows along one spatial axis or more, and over all there is. X [N, C, ...]. */
export const poolingRules: readonly Rule[] = [
  maxPoolRule,
  {
    operator: 'AveragePool',
    domain: '',
    opsets: opsetRange,
    shapes: ({ input, output }) => [input[0]!, output[0]!],
    refuses: ({ node, shapeOf }) =>
      shapeOf(node.input[0]!).slice(2).includes(null)
        ? 'spatial axes that vary in size'
        : undefined,
    gradients: averagePoolGradients,
  },
  {
    operator: 'GlobalAveragePool',
    domain: '',
    opsets: opsetRange,
    gradients({ graph, node }, dY) {
      const [x, y] = [node.input[0]!, node.output[0]!];
      const share = graph.node('Div', [dY, sizeRatio(graph, x, y)]);
      return [graph.node('Expand', [share, graph.node('Shape', [x])])];
    },
  },
  { operator: 'GlobalMaxPool', domain: '', opsets: opsetRange, gradients: globalMaxPoolGradients },
];

/** ArgMax, as MaxPool, takes the first of equal ones. */
function globalMaxPoolGradients({ graph, node }: RuleContext, dY: string): InputGradients {
  const x = node.input[0]!;
  const inRows = (value: string) => graph.node('Reshape', [value, graph.ints([0, 0, -1])]);
  const rows = inRows(x);
  const zeros = graph.node('Expand', [graph.float(0), graph.node('Shape', [rows])]);
  const chosen = graph.node('ArgMax', [rows], { axis: { int: 2 } });
  const spread = graph.node('ScatterElements', [zeros, chosen, inRows(dY)], { axis: { int: 2 } });
  return [graph.node('Reshape', [spread, graph.node('Shape', [x])])];
}

/** Shares each window's gradient out evenly: a transposed convolution with ones. */
function averagePoolGradients(context: RuleContext, dY: string): InputGradients {
  const { graph, node, shapeOf } = context;
  const x = node.input[0]!;
  const kernel = intsAttribute(node, 'kernel_shape') ?? [];
  const small = shapeOf(node.output[0]!);
  const axes = windowAxes(node, { kernel, large: shapeOf(x), small })!;
  const includesPads = intAttribute(node, 'count_include_pad', 0) === 1;
  const shares = axes.reduce((share, window, axis) => {
    const size = { large: shapeOf(x)[axis + 2]!, small: small[axis + 2]! };
    const counts = graph.node('Cast', [graph.ints(countsOf(window, { ...size, includesPads }))], {
      to: { int: graph.floatType },
    });
    const aligned = graph.node('Reshape', [
      counts,
      graph.ints([-1, ...axes.slice(axis + 1).map(() => 1)]),
    ]);
    return graph.node('Div', [share, aligned]);
  }, dY);
  const windows = small.slice(2) as number[];
  const perChannel = graph.node('Reshape', [shares, graph.ints([-1, 1, ...windows])]);
  const ones = graph.node('Expand', [graph.float(1), graph.ints([1, 1, ...kernel])]);
  const spread = graph.node('ConvTranspose', [perChannel, ones], {
    kernel_shape: { ints: kernel },
    strides: { ints: axes.map(({ stride }) => stride) },
    dilations: { ints: axes.map(({ dilation }) => dilation) },
    pads: { ints: statedPads(axes) },
    output_padding: { ints: unusedEnds(axes) },
  });
  return [graph.node('Reshape', [spread, graph.node('Shape', [x])])];
}

/** How many elements each window averages over, along one axis. */
function countsOf(
  { kernel, stride, dilation, padBegin, padEndStated }: WindowAxis,
  size: { readonly large: number; readonly small: number; readonly includesPads: boolean },
): number[] {
  const first = size.includesPads ? -padBegin : 0;
  const end = size.large + (size.includesPads ? padEndStated : 0);
  return Array.from({ length: size.small }, (_, window) => {
    const start = window * stride - padBegin;
    const places = Array.from({ length: kernel }, (_, offset) => start + offset * dilation);
    return places.filter((place) => place >= first && place < end).length;
  });
}
