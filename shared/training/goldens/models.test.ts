import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import type { OnnxTensor } from '#runtime/onnx/onnx-runtime.ts';
import { gradientName, portNames } from '../artefact-names.ts';
import { compileTraining } from '../compile-training.ts';
import type { LossName } from '../losses.ts';
import { readSourceGraph } from '../model/source-graph.ts';
import { probedShapes } from '../probed-shapes.fixture.ts';

interface PackedTensor {
  readonly shape: readonly number[];
  /** Little-endian, in base64. */
  readonly data: string;
}

/** What scripts/goldens/models.py writes beside each model. */
interface Golden {
  readonly loss: LossName;
  readonly inputs: Readonly<Record<string, PackedTensor>>;
  readonly target: PackedTensor;
  readonly value: number;
  readonly gradients: Readonly<Record<string, PackedTensor>>;
}

const folder = new URL('./models/', import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.onnx'))
  .map((file) => file.slice(0, -'.onnx'.length));

function floats({ shape, data }: PackedTensor): OnnxTensor & { data: Float32Array } {
  return { shape, data: new Float32Array(new Uint8Array(Buffer.from(data, 'base64')).buffer) };
}

function ids({ shape, data }: PackedTensor): OnnxTensor {
  return { shape, data: new BigInt64Array(new Uint8Array(Buffer.from(data, 'base64')).buffer) };
}

/** The largest difference, relative to the largest value. */
function relativeError(found: Float32Array, expected: Float32Array): number {
  assert.equal(found.length, expected.length);
  const most = (values: Float32Array) => values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  return most(found.map((value, i) => value - expected[i]!)) / most(expected);
}

describe('models exported by PyTorch', () => {
  assert.ok(names.length > 0);
  for (const name of names) {
    it(`${name} has the gradients PyTorch finds`, async () => {
      const model = new Uint8Array(readFileSync(new URL(`${name}.onnx`, folder)));
      const json = readFileSync(new URL(`${name}.json`, folder), 'utf8');
      const { loss, inputs, target, value, gradients } = JSON.parse(json) as Golden;
      const source = readSourceGraph(model);
      assert.ok(source.ok);
      const constants = [...source.value.initialisers.keys()].filter((n) => !(n in gradients));
      const graphs = compileTraining(model, {
        loss,
        optimiser: { kind: 'sgd' },
        frozen: constants,
        shapes: await probedShapes(model),
      });
      assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
      const { manifest } = graphs.value;
      assert.deepEqual(
        manifest.parameters.map((p) => p.name).sort(),
        Object.keys(gradients).sort(),
      );
      const rows = target.shape[0]!;
      await using session = await nodeOnnxRuntime.load(graphs.value.gradients);
      const outputs = await session.run({
        ...Object.fromEntries(manifest.parameters.map((p) => [p.name, p])),
        ...Object.fromEntries(Object.entries(inputs).map(([input, x]) => [input, floats(x)])),
        [portNames.target]: loss === 'cross-entropy' ? ids(target) : floats(target),
        [portNames.weights]: { shape: [rows], data: new Float32Array(rows).fill(1 / rows) },
      });
      const found = outputs[portNames.loss]!.data[0] as number;
      assert.ok(Math.abs(found - value) <= 1e-6 * Math.abs(value), `loss ${found}, not ${value}`);
      for (const [parameter, packed] of Object.entries(gradients)) {
        const gradient = outputs[gradientName(parameter)]!;
        assert.deepEqual(gradient.shape, packed.shape);
        const error = relativeError(gradient.data as Float32Array, floats(packed).data);
        assert.ok(error <= 1e-5, `${parameter}: ${error}`);
      }
    });
  }
});
