import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import type { OnnxTensor, OnnxTensors } from '#runtime/onnx/onnx-runtime.ts';
import { addClipping, type GradientClipping } from './clipping.ts';
import { createGraphBuilder } from './graph-builder.ts';
import { builtModel } from './graph-fixture.ts';
import { dataType } from './model/onnx-proto.ts';
import { shapeSize } from './model/onnx-tensor.ts';
import { addOptimiserStep, type OptimiserOptions } from './optimisers.ts';

type Tensors = Readonly<Record<string, readonly number[]>>;

/** Made by scripts/goldens/losses-and-optimisers.py. */
const golden = JSON.parse(
  readFileSync(new URL('./goldens/losses-and-optimisers.json', import.meta.url), 'utf8'),
) as {
  readonly start: Tensors;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly rates: readonly number[];
  readonly gradients: readonly Tensors[];
  readonly optimisers: readonly (readonly [OptimiserOptions, Tensors])[];
  readonly clippings: readonly (readonly [GradientClipping, Tensors])[];
};

const type = dataType.float32;
const names = Object.keys(golden.shapes);
const gradientOf = (name: string) => `gradient of ${name}`;
const parameters = names.map((name) => ({
  name,
  shape: golden.shapes[name]!,
  gradient: gradientOf(name),
}));

function feeds(tensors: Tensors, rename = (name: string) => name): OnnxTensors {
  return Object.fromEntries(
    names.map((name) => [
      rename(name),
      { shape: golden.shapes[name]!, data: Float32Array.from(tensors[name]!) },
    ]),
  );
}

/** The largest difference, relative to the largest value. */
function distance(found: OnnxTensors, expected: Tensors): number {
  const pairs = names.flatMap((name) =>
    Array.from(found[name]!.data, Number).map((value, i) => [value, expected[name]![i]!] as const),
  );
  const largest = Math.max(...pairs.map(([, value]) => Math.abs(value)));
  return Math.max(...pairs.map(([a, b]) => Math.abs(a - b))) / largest;
}

async function optimised(options: OptimiserOptions): Promise<OnnxTensors> {
  const graph = createGraphBuilder(type);
  const { slots, next } = addOptimiserStep(graph, options, { parameters, rate: 'rate' });
  const states = [...parameters, ...slots].map(({ name, shape }) => ({ name, type, shape }));
  const model = builtModel(graph, {
    inputs: [
      ...states,
      ...parameters.map(({ gradient, shape }) => ({ name: gradient, type, shape })),
      { name: 'rate', type, shape: [] },
    ],
    outputs: states.map((state) => ({ ...state, name: next.get(state.name)! })),
  });
  await using session = await nodeOnnxRuntime.load(model);
  let state: Record<string, OnnxTensor> = { ...feeds(golden.start) };
  for (const { name, shape } of slots) {
    state[name] = { shape, data: new Float32Array(shapeSize(shape)) };
  }
  for (const [step, gradients] of golden.gradients.entries()) {
    const outputs = await session.run({
      ...state,
      ...feeds(gradients, gradientOf),
      rate: { shape: [], data: Float32Array.of(golden.rates[step]!) },
    });
    state = Object.fromEntries(states.map(({ name }) => [name, outputs[next.get(name)!]!]));
  }
  return state;
}

describe('an optimiser', () => {
  for (const [options, expected] of golden.optimisers) {
    it(`takes PyTorch's steps: ${JSON.stringify(options)}`, async () => {
      const found = await optimised(options);
      assert.ok(distance(found, expected) < 1e-6, `off by ${distance(found, expected)}`);
      assert.ok(distance(feeds(golden.start), expected) > 1e-2);
    });
  }
});

describe('Adam', () => {
  it('treats values alike, whether their tensor shares its moments or not', async () => {
    const shapes: Readonly<Record<string, readonly number[]>> = {
      a: [4],
      b: [2, 2],
      c: [160, 128],
    };
    const tensors = Object.entries(shapes).map(([name, shape]) => ({
      name,
      shape,
      gradient: gradientOf(name),
    }));
    const graph = createGraphBuilder(type);
    const { slots, next } = addOptimiserStep(
      graph,
      { kind: 'adamw' },
      { parameters: tensors, rate: 'rate' },
    );
    assert.deepEqual(
      slots.map(({ shape }) => shape),
      [[], [8], [8], [160, 128], [160, 128]],
    );
    const ports = (names: readonly { name: string; shape: readonly number[] }[]) =>
      names.map(({ name, shape }) => ({ name, type, shape }));
    const gradients = tensors.map(({ gradient, shape }) => ({ name: gradient, shape }));
    const inputs = ports([...tensors, ...slots, ...gradients, { name: 'rate', shape: [] }]);
    const outputs = ports(tensors).map((port) => ({ ...port, name: next.get(port.name)! }));
    await using session = await nodeOnnxRuntime.load(builtModel(graph, { inputs, outputs }));
    const pattern = [0.3, -0.7, 0, 2];
    const fed = inputs.map(({ name, shape }) => {
      const values = Float32Array.from({ length: shapeSize(shape) }, (_, i) => pattern[i % 4]!);
      return [name, { shape, data: name.startsWith('diten/') ? values.fill(0) : values }];
    });
    const found = await session.run(Object.fromEntries(fed));
    const [a, b, c] = outputs.map(({ name }) => [...(found[name]!.data as Float32Array)]);
    assert.deepEqual(b, a);
    assert.deepEqual(c!.slice(-4), a);
    assert.ok(a!.every((value, i) => (value === pattern[i]) === (i === 2)));
  });
});

describe('clipping', () => {
  for (const [options, expected] of golden.clippings) {
    it(`gives PyTorch's gradients: ${JSON.stringify(options)}`, async () => {
      const graph = createGraphBuilder(type);
      const clipped = addClipping(graph, options, parameters);
      const ports = parameters.map(({ gradient, shape }) => ({ name: gradient, type, shape }));
      const model = builtModel(graph, {
        inputs: ports,
        outputs: ports.map((port, i) => ({ ...port, name: clipped[i]!.gradient })),
      });
      await using session = await nodeOnnxRuntime.load(model);
      const outputs = await session.run(feeds(golden.gradients[0]!, gradientOf));
      const found = clipped.map(({ name, gradient }) => [name, outputs[gradient]!]);
      assert.ok(distance(Object.fromEntries(found), expected) < 1e-6);
    });
  }
});
