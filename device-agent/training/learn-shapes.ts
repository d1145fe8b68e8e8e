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
  const runs: ProbeRun[] = [];
  try {
    await using session = await runtime.load(probe.value.model);
    for (const size of PROBE_SIZES) runs.push(await runProbe(session, probe.value, size));
  } catch (cause) {
    return refuse(
      'shape-unknown',
      `the model does not run on zeros with batches of ${PROBE_SIZES.join(' and ')} ` +
        `(${(cause as Error).message}); export it with a free batch dimension`,
    );
  }
  return ok(compareProbeRuns(runs[0]!, runs[1]!));
}

async function runProbe(
  session: OnnxSession,
  { inputs, outputs }: ShapeProbe,
  size: number,
): Promise<ProbeRun> {
  const feeds = Object.fromEntries(inputs.map((port) => [port.name, zeros(port, size)]));
  const results = await session.run(feeds);
  return new Map(
    outputs.map(({ value, output }) => [value, Array.from(results[output]!.data, Number)]),
  );
}

function zeros({ name, type, shape }: Port, freeSize: number): OnnxTensor {
  const sizes = shape.map((size) => size ?? freeSize);
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
