import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import { shapeSize } from '#shared/training/model/onnx-tensor.ts';
import type { Port } from '#shared/training/model/shape.ts';
import type { Standardisation } from '#shared/training/standardise-model.ts';
import { describePort } from './port-text.ts';

type Layout = Standardisation['layout'];

interface Readings {
  readonly window: number;
  readonly features: number;
}

/** How a model takes readings: the batch first, then these dimensions. */
interface InputLayout {
  readonly layout: Layout;
  readonly dimensions: readonly number[];
}

/**
 * Finds out how a model's input takes `window` readings of some features: [window, features],
 * [features, window], or all values in a row, whatever the dimensions.
 *
 * Errors: `input-misfit`, `layout-ambiguous`.
 */
export function inputLayout(
  port: Port,
  { window, features }: Readings,
  wanted?: 'rows' | 'channels',
): Result<InputLayout, Failure<'input-misfit' | 'layout-ambiguous'>> {
  const [, ...sizes] = port.shape;
  const fits = (dimensions: readonly number[]): boolean =>
    sizes.length === dimensions.length &&
    sizes.every((size, axis) => size === null || size === dimensions[axis]);
  const rows: InputLayout = { layout: 'rows', dimensions: [window, features] };
  const channels: InputLayout = { layout: 'channels', dimensions: [features, window] };
  const fitting = [rows, channels].filter(({ dimensions }) => fits(dimensions));
  const chosen = fitting.filter(({ layout }) => wanted === undefined || layout === wanted);
  // With one reading of one feature there is nothing to tell apart.
  if (chosen.length === 1 || (chosen.length > 1 && window * features === 1)) return ok(chosen[0]!);
  if (chosen.length > 1) {
    return fail(
      'layout-ambiguous',
      `${describePort(port)} may take the readings as rows or as channels; give --layout`,
    );
  }
  const flat = fits([window * features]) ? [window * features] : sizes.map((size) => size ?? 0);
  if (fitting.length === 0 && shapeSize(flat) === window * features) {
    return ok({ layout: 'flat', dimensions: flat });
  }
  return fail(
    'input-misfit',
    `${describePort(port)} does not take ${window} readings of ${features} features` +
      `${fitting.length > 0 ? ` as ${wanted}` : ''}; change --window or --features`,
  );
}
