import type { Attributes } from '../model/attributes.ts';
import type { DrawOperator, OperatorDraw } from './draw-elementwise.ts';
import type { GraphDraft, Value } from './graph-draft.ts';

/** [N, C, ...] with one spatial axis or two: a value there is, or a new one. */
function image(draft: GraphDraft, fits: (value: Value) => boolean = () => true): Value {
  const found = draft.pick(
    (value) =>
      (value.shape.length === 3 || value.shape.length === 4) &&
      value.shape.slice(2).every((size) => size > 1) &&
      fits(value),
  );
  if (found !== undefined) return found;
  const spatial = draft.isLucky(0.5) ? [draft.int(3, 5)] : [draft.int(2, 4), draft.int(2, 4)];
  return draft.parameter([2, 2, ...spatial]);
}

interface Window {
  readonly kernel: number[];
  readonly strides: number[];
  readonly dilations: number[];
  readonly begins: number[];
  readonly ends: number[];
}

/** A window for each spatial axis that fits the image. */
function drawWindow(draft: GraphDraft, spatial: readonly number[], isDilated: boolean): Window {
  const kernel = spatial.map((size) => draft.int(1, Math.min(3, size)));
  const dilations = spatial.map((size, axis) =>
    isDilated && (kernel[axis]! - 1) * 2 < size ? draft.int(1, 2) : 1,
  );
  const pads = () => kernel.map((size) => draft.int(0, Math.min(1, size - 1)));
  const strides = spatial.map(() => draft.int(1, 2));
  return { kernel, strides, dilations, begins: pads(), ends: pads() };
}

function windowAttributes({ kernel, strides, dilations, begins, ends }: Window): Attributes {
  return {
    kernel_shape: { ints: kernel },
    strides: { ints: strides },
    dilations: { ints: dilations },
    pads: { ints: [...begins, ...ends] },
  };
}

function convolvedSize(window: Window, size: number, axis: number): number {
  const reach = (window.kernel[axis]! - 1) * window.dilations[axis]! + 1;
  const padded = size + window.begins[axis]! + window.ends[axis]!;
  return Math.floor((padded - reach) / window.strides[axis]!) + 1;
}

const drawConv: DrawOperator = (draft) => {
  const value = image(draft);
  const { shape, isBatched } = value;
  const [batch, channels, ...spatial] = shape as [number, number, ...number[]];
  const group = draft.oneOf([1, channels]);
  const outputs = group * draft.int(1, 2);
  const window = drawWindow(draft, spatial, true);
  const weight = draft.parameter([outputs, channels / group, ...window.kernel]);
  const bias = draft.isLucky(0.5) ? [draft.parameter([outputs])] : [];
  return [
    draft.node('Conv', [value, weight, ...bias], {
      shape: [batch, outputs, ...spatial.map((size, axis) => convolvedSize(window, size, axis))],
      isBatched,
      attributes: { ...windowAttributes(window), group: { int: group } },
    }),
  ];
};

const drawConvTranspose: DrawOperator = (draft) => {
  const value = image(draft, ({ shape }) => shape.slice(1).reduce((a, b) => a * b, 1) <= 20);
  const { shape, isBatched } = value;
  const [batch, channels, ...spatial] = shape as [number, number, ...number[]];
  const group = draft.oneOf([1, channels]);
  const outputs = draft.int(1, 2);
  const window = drawWindow(draft, spatial, true);
  const extra = window.strides.map((stride) => draft.int(0, stride - 1));
  const weight = draft.parameter([channels, outputs, ...window.kernel]);
  const bias = draft.isLucky(0.5) ? [draft.parameter([outputs * group])] : [];
  const sizes = spatial.map((size, axis) => {
    const reach = (window.kernel[axis]! - 1) * window.dilations[axis]! + 1;
    const whole = (size - 1) * window.strides[axis]! + reach + extra[axis]!;
    return whole - window.begins[axis]! - window.ends[axis]!;
  });
  if (sizes.some((size) => size < 1)) return undefined;
  return [
    draft.node('ConvTranspose', [value, weight, ...bias], {
      shape: [batch, outputs * group, ...sizes],
      isBatched,
      attributes: {
        ...windowAttributes(window),
        group: { int: group },
        output_padding: { ints: extra },
      },
    }),
  ];
};

function drawPool(operator: 'MaxPool' | 'AveragePool'): DrawOperator {
  return (draft) => {
    const value = image(draft);
    const { shape, isBatched } = value;
    const [batch, channels, ...spatial] = shape as [number, number, ...number[]];
    const isDilated = operator === 'MaxPool' || draft.opset >= 19;
    const window = drawWindow(draft, spatial, isDilated);
    const { dilations, ...attributes } = windowAttributes(window);
    return [
      draft.node(operator, [value], {
        shape: [batch, channels, ...spatial.map((size, axis) => convolvedSize(window, size, axis))],
        isBatched,
        attributes: {
          ...attributes,
          ...(isDilated && { dilations: dilations! }),
          ...(operator === 'AveragePool' && { count_include_pad: { int: draft.int(0, 1) } }),
        },
      }),
    ];
  };
}

function drawGlobalPool(operator: string): DrawOperator {
  return (draft) => {
    const value = image(draft);
    const { shape, isBatched } = value;
    const made = shape.map((size, axis) => (axis < 2 ? size : 1));
    return [draft.node(operator, [value], { shape: made, isBatched })];
  };
}

/** With the statistics it was exported with. */
const drawBatchNormalization: DrawOperator = (draft) => {
  const value = image(draft);
  const { shape, isBatched } = value;
  const channels = shape[1]!;
  const numbers = (least: number) =>
    Array.from({ length: channels }, () => least + draft.int(0, 7) / 8);
  const operands = [
    draft.parameter([channels]),
    draft.parameter([channels]),
    draft.floats(numbers(-0.5)),
    draft.floats(numbers(0.5)),
  ];
  return [draft.node('BatchNormalization', [value, ...operands], { shape, isBatched })];
};

const drawInstanceNormalization: DrawOperator = (draft) => {
  const value = image(draft);
  const { shape, isBatched } = value;
  const operands = [draft.parameter([shape[1]!]), draft.parameter([shape[1]!])];
  const attributes = { epsilon: { float: 0.1 } };
  return [
    draft.node('InstanceNormalization', [value, ...operands], { shape, isBatched, attributes }),
  ];
};

const drawGroupNormalization: DrawOperator = (draft) => {
  const value = image(draft);
  const { shape, isBatched } = value;
  const groups = draft.oneOf([1, shape[1]!]);
  // Before operator set 21 there is a scale for each group, since then for each channel.
  const count = draft.opset < 21 ? groups : shape[1]!;
  const attributes = { num_groups: { int: groups }, epsilon: { float: 0.1 } };
  const operands = [draft.parameter([count]), draft.parameter([count])];
  return [draft.node('GroupNormalization', [value, ...operands], { shape, isBatched, attributes })];
};

const drawResize: DrawOperator = (draft) => {
  const value = image(draft, ({ shape }) => shape.slice(1).reduce((a, b) => a * b, 1) <= 20);
  const { shape, isBatched } = value;
  const mode = draft.oneOf(['nearest', 'linear']);
  const scales = shape.slice(2).map(() => draft.oneOf([1, 2, 2, 0.5]));
  const spatial = shape.slice(2).map((size, axis) => Math.floor(size * scales[axis]!));
  if (spatial.some((size) => size < 1)) return undefined;
  const operands = ['', draft.scales([1, 1, ...scales])];
  const places = draft.oneOf(['half_pixel', 'asymmetric', 'align_corners']);
  return [
    draft.node('Resize', [value, ...operands], {
      shape: [...shape.slice(0, 2), ...spatial],
      isBatched,
      attributes: {
        mode: { string: mode },
        coordinate_transformation_mode: { string: places },
        ...(mode === 'nearest' && { nearest_mode: { string: 'floor' } }),
      },
    }),
  ];
};

const isFloat32Only = true;

/** Operators on images: [N, C] and spatial axes. */
export const imageDraws: readonly OperatorDraw[] = [
  { operator: 'Conv', draw: drawConv, isFloat32Only },
  { operator: 'ConvTranspose', draw: drawConvTranspose, isFloat32Only },
  { operator: 'MaxPool', draw: drawPool('MaxPool') },
  { operator: 'AveragePool', draw: drawPool('AveragePool'), isFloat32Only },
  { operator: 'GlobalAveragePool', draw: drawGlobalPool('GlobalAveragePool'), isFloat32Only },
  { operator: 'GlobalMaxPool', draw: drawGlobalPool('GlobalMaxPool'), isFloat32Only },
  { operator: 'BatchNormalization', draw: drawBatchNormalization },
  { operator: 'InstanceNormalization', draw: drawInstanceNormalization, isFloat32Only },
  // A function that goes by way of float32.
  { operator: 'GroupNormalization', draw: drawGroupNormalization, since: 18, isFloat32Only },
  { operator: 'Resize', draw: drawResize, isFloat32Only },
];
