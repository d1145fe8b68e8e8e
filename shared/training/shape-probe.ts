import { ok, type Result } from '../basics/result.ts';
import { forInference } from './batch-statistics.ts';
import { graphToModel, planToGraph } from './emit-graph.ts';
import { createGraphBuilder } from './graph-builder.ts';
import { dataType, encodeModel } from './model/onnx-proto.ts';
import type { Port, Shape, Shapes } from './model/shape.ts';
import { readSourceGraph } from './model/source-graph.ts';
import type { TrainingFailure } from './training-failure.ts';

/**
 * A model that tells the shape of every value of another one. It is run twice, with every free
 * dimension of its inputs set to one size and then to another: what changes varies with the batch.
 */
export interface ShapeProbe {
  readonly model: Uint8Array<ArrayBuffer>;
  /** What to feed: any values of these types; `null` is a free dimension. */
  readonly inputs: readonly Port[];
  /** For each value the output that gives its shape, int64 [rank]. */
  readonly outputs: readonly { readonly value: string; readonly output: string }[];
}

/** The shapes one run of the probe gave, by value. */
export type ProbeRun = ReadonlyMap<string, readonly number[]>;

/** Errors: `model-too-large`, `not-onnx`, `model-invalid`, `opset-unsupported`, `external-data`. */
export function createShapeProbe(modelBytes: Uint8Array): Result<ShapeProbe, TrainingFailure> {
  const read = readSourceGraph(modelBytes);
  if (!read.ok) return read;
  const source = forInference(read.value);
  const graph = createGraphBuilder(dataType.float32);
  const made = source.nodes.flatMap(({ output }) => output.filter((name) => name !== ''));
  const values = [...source.inputs.map(({ name }) => name), ...made];
  const outputs = values.map((value) => ({ value, output: graph.node('Shape', [value]) }));
  const built = graph.finish();
  const plan = planToGraph({
    name: 'shapes',
    nodes: [...source.nodes, ...built.nodes],
    constants: source.initialisers,
    inputs: source.inputs,
    outputs: outputs.map(({ output }) => ({ name: output, type: dataType.int64, shape: [null] })),
  });
  return ok({ model: encodeModel(graphToModel(plan, source)), inputs: source.inputs, outputs });
}

/** Dimensions that differ between two runs of different sizes are free. */
export function compareProbeRuns(first: ProbeRun, second: ProbeRun): Shapes {
  const shapes = new Map<string, Shape>();
  for (const [value, sizes] of first) {
    const others = second.get(value);
    // Where even the rank changes nothing can be said.
    if (others?.length !== sizes.length) continue;
    shapes.set(
      value,
      sizes.map((size, axis) => (size === others[axis] ? size : null)),
    );
  }
  return shapes;
}
