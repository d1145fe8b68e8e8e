import type { OnnxRuntime, OnnxSession, OnnxTensor } from '#runtime/onnx/onnx-runtime.ts';
import { ok, type Result } from '#shared/basics/result.ts';
import { dataType } from '#shared/training/model/onnx-proto.ts';
import { shapeSize } from '#shared/training/model/onnx-tensor.ts';
import type { Port, Shapes } from '#shared/training/model/shape.ts';
import {
  compareProbeRuns,
  createShapeProbe,
  type ProbeRun,
  type ShapeProbe,
} from '#shared/training/shape-probe.ts';
import { refuse, type TrainingFailure } from '#shared/training/training-failure.ts';

/** Two batch sizes that no model is likely to have as a fixed dimension it broadcasts against. */
const PROBE_SIZES = [5, 7] as const;
/**
 * Two sizes of every other free axis: far enough apart that what is left of them after strides
 * still tells them apart, and even enough for a model that halves and doubles them. The small ones
 * are for a model that has an upper limit.
 */
const AXIS_SIZES = [[32, 64], PROBE_SIZES] as const;

/**
 * Learns the shape of every value in the model by running it on zeros, at two batch sizes.
 *
 * Errors: those of `createShapeProbe`; `shape-unknown` where the model does not run so.
 */
export async function learnShapes(
  runtime: OnnxRuntime,
  model: Uint8Array,
): Promise<Result<Shapes, TrainingFailure>> {
  const probe = createShapeProbe(model);
  if (!probe.ok) return probe;
  let reason = '';
  for (const sizes of AXIS_SIZES) {
    try {
      return ok(await compareRuns(runtime, probe.value, sizes));
    } catch (cause) {
      reason = (cause as Error).message;
    }
  }
  return refuse(
    'shape-unknown',
    `the model does not run on zeros with batches of ${PROBE_SIZES.join(' and ')} ` +
      `(${reason}); ${mendOf(probe.value)}`,
  );
}

async function compareRuns(
  runtime: OnnxRuntime,
  probe: ShapeProbe,
  sizes: readonly [number, number],
): Promise<Shapes> {
  await using session = await runtime.load(probe.model);
  const first = await runProbe(session, probe, { batch: PROBE_SIZES[0], axis: sizes[0] });
  const second = await runProbe(session, probe, { batch: PROBE_SIZES[1], axis: sizes[1] });
  return compareProbeRuns(first, second);
}

/** The runtime has few of its operators for float64. */
function mendOf({ inputs }: ShapeProbe): string {
  const isDouble = inputs.some(({ type }) => type === dataType.float64);
  return `export it ${isDouble ? 'in float32 and ' : ''}with a free batch dimension`;
}

/** Of the first axis, and of each other one that is free. */
interface FreeSizes {
  readonly batch: number;
  readonly axis: number;
}

async function runProbe(
  session: OnnxSession,
  { inputs, outputs }: ShapeProbe,
  free: FreeSizes,
): Promise<ProbeRun> {
  const feeds = Object.fromEntries(inputs.map((port) => [port.name, zeros(port, free)]));
  const results = await session.run(feeds);
  return new Map(
    outputs.map(({ value, output }) => [value, Array.from(results[output]!.data, Number)]),
  );
}

function zeros({ name, type, shape }: Port, { batch, axis }: FreeSizes): OnnxTensor {
  const sizes = shape.map((size, place) => size ?? (place === 0 ? batch : axis));
  const length = shapeSize(sizes);
  switch (type) {
    case dataType.float32:
      return { shape: sizes, data: new Float32Array(length) };
    case dataType.float64:
      return { shape: sizes, data: new Float64Array(length) };
    case dataType.int64:
      return { shape: sizes, data: new BigInt64Array(length) };
    default:
      throw new Error(
        `input ${name} has element type ${type}, which is not float, double or int64`,
      );
  }
}
