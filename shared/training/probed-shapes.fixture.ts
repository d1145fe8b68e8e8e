import assert from 'node:assert/strict';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import type { OnnxTensor } from '#runtime/onnx/onnx-runtime.ts';
import { dataType } from './model/onnx-proto.ts';
import { shapeSize } from './model/onnx-tensor.ts';
import type { Port, Shapes } from './model/shape.ts';
import { compareProbeRuns, createShapeProbe, type ProbeRun } from './shape-probe.ts';

/** The shapes that a model's probe tells, run on zeros at two sizes as the trainer does. */
export async function probedShapes(model: Uint8Array): Promise<Shapes> {
  const probe = createShapeProbe(model);
  assert.ok(probe.ok, probe.ok ? '' : probe.error.message);
  const { inputs, outputs } = probe.value;
  await using session = await nodeOnnxRuntime.load(probe.value.model);
  const run = async (...sizes: [batch: number, axis: number]): Promise<ProbeRun> => {
    const feeds = Object.fromEntries(inputs.map((input) => [input.name, zeros(input, sizes)]));
    const results = await session.run(feeds);
    return new Map(
      outputs.map(({ value, output }) => [value, Array.from(results[output]!.data, Number)]),
    );
  };
  return compareProbeRuns(await run(5, 32), await run(7, 64));
}

function zeros({ shape, type }: Port, [batch, axis]: [number, number]): OnnxTensor {
  const sizes = shape.map((size, place) => size ?? (place === 0 ? batch : axis));
  const values = new Float32Array(shapeSize(sizes));
  return { shape: sizes, data: type === dataType.float64 ? Float64Array.from(values) : values };
}
