import { intsAttribute, stringAttribute } from '../model/attributes.ts';
import type { NodeProto } from '../model/onnx-proto.ts';
import type { Shape } from '../model/shape.ts';
import type { RuleContext } from './rule.ts';

/** How windows lie along one spatial axis of the larger tensor; the smaller has one per element. */
export interface WindowAxis {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padBegin: number;
  /**
   * What must be added at the end so that the last window ends with it; negative where elements
   * there lie in no window, whatever padding the node states.
   */
  readonly padEnd: number;
  /** What the node itself adds at the end. */
  readonly padEndStated: number;
  /** Whether how many elements at the end lie in no window depends on a size that varies. */
  readonly endVaries: boolean;
}

interface WindowSpec {
  readonly kernel: readonly number[];
  /** The tensor the windows slide over, [N, C, spatial...]. */
  readonly large: Shape;
  /** The one with an element per window, [N, C, spatial...]. */
  readonly small: Shape;
  /** A ConvTranspose puts the odd element of its padding elsewhere, and may fix the size. */
  readonly transposed?: boolean;
}

/**
 * The windows of Conv, ConvTranspose and the pools, as ONNX defines their attributes; `undefined`
 * where automatic padding depends on a size that varies from run to run.
 */
export function windowAxes(node: NodeProto, spec: WindowSpec): WindowAxis[] | undefined {
  const rank = spec.kernel.length;
  const ones = new Array<number>(rank).fill(1);
  const strides = intsAttribute(node, 'strides') ?? ones;
  const dilations = intsAttribute(node, 'dilations') ?? ones;
  const pads = intsAttribute(node, 'pads') ?? new Array<number>(2 * rank).fill(0);
  const autoPad = stringAttribute(node, 'auto_pad', 'NOTSET');
  const fixedSize = spec.transposed === true && intsAttribute(node, 'output_shape') !== undefined;
  const isAutomatic = fixedSize || autoPad.startsWith('SAME');
  const axes: WindowAxis[] = [];
  for (const [axis, kernel] of spec.kernel.entries()) {
    const stride = strides[axis]!;
    const dilation = dilations[axis]!;
    const large = spec.large[axis + 2] ?? null;
    const small = spec.small[axis + 2] ?? null;
    const stated = [pads[axis]!, pads[axis + rank]!] as const;
    if (large === null || small === null) {
      if (isAutomatic) return undefined;
      const [padBegin, padEnd] = stated;
      const endVaries = stride !== 1;
      axes.push({ kernel, stride, dilation, padBegin, padEnd, padEndStated: padEnd, endVaries });
      continue;
    }
    const excess = (small - 1) * stride + (kernel - 1) * dilation + 1 - large;
    const total = Math.max(excess + outputPadding(node, axis), 0);
    const endHeavy = autoPad === 'SAME_UPPER';
    const automatic = endHeavy ? Math.floor(total / 2) : Math.ceil(total / 2);
    const padBegin = isAutomatic ? automatic : stated[0];
    const padEnd = excess - padBegin;
    const padEndStated = isAutomatic ? padEnd : stated[1];
    axes.push({ kernel, stride, dilation, padBegin, padEnd, padEndStated, endVaries: false });
  }
  return axes;
}

/** `refuses` of a rule that needs the windows to be known. */
export function refusesUnknownWindows(
  windowsOf: (context: RuleContext) => WindowAxis[] | undefined,
): (context: RuleContext) => string | undefined {
  return (context) =>
    windowsOf(context) === undefined
      ? 'automatic padding along an axis whose size varies'
      : undefined;
}

/** `pads` as ONNX orders them, with nothing negative at the end. */
export function statedPads(axes: readonly WindowAxis[]): number[] {
  return [
    ...axes.map(({ padBegin }) => padBegin),
    ...axes.map(({ padEnd }) => Math.max(padEnd, 0)),
  ];
}

/** Elements at the end of the larger tensor that lie in no window, where known. */
export function unusedEnds(axes: readonly WindowAxis[]): number[] {
  return axes.map(({ padEnd }) => Math.max(-padEnd, 0));
}

function outputPadding(node: NodeProto, axis: number): number {
  return intsAttribute(node, 'output_padding')?.[axis] ?? 0;
}
