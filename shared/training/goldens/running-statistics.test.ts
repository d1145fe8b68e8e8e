import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { compileTraining } from '../compile-training.ts';
import {
  initialState,
  type Minibatches,
  trainByEpoch,
  trainBySteps,
} from '../minibatch.fixture.ts';
import { probedShapes } from '../probed-shapes.fixture.ts';

interface PackedTensor {
  readonly shape: readonly number[];
  /** Little-endian, in base64. */
  readonly data: string;
}

/** What scripts/goldens/running-statistics.py writes. */
interface Golden {
  readonly rate: number;
  readonly x: PackedTensor;
  readonly target: PackedTensor;
  readonly steps: readonly {
    readonly rows: readonly number[];
    readonly loss: number;
    readonly state: Readonly<Record<string, PackedTensor>>;
  }[];
}

const golden = JSON.parse(
  readFileSync(new URL('./running-statistics.json', import.meta.url), 'utf8'),
) as Golden;
const model = new Uint8Array(
  readFileSync(new URL('./models/residual-batch.onnx', import.meta.url)),
);
const shapes = await probedShapes(model);
const compiled = compileTraining(model, { loss: 'mse', optimiser: { kind: 'sgd' }, shapes });
assert.ok(compiled.ok);
const graphs = compiled.value;

const MOMENTUM = 0.9;
/** Of one channel in one example. */
const PLACES = 4 * 5;

function unpacked({ data }: PackedTensor): Float32Array<ArrayBuffer> {
  return new Float32Array(new Uint8Array(Buffer.from(data, 'base64')).buffer);
}

function minibatches(): Minibatches {
  const { rate, x, target, steps } = golden;
  return {
    data: {
      x: { shape: x.shape, data: unpacked(x) },
      [graphs.manifest.target.name]: { shape: target.shape, data: unpacked(target) },
    },
    order: steps.flatMap(({ rows }) => [...rows, -1, -1].slice(0, 4)),
    batch: 4,
    rates: steps.map(() => rate),
  };
}

/**
 * The running variance as ONNX has it, of population variances, out of PyTorch's, of unbiased ones:
 * v' = m v + (1 - m) b with b (n - 1) / n in the place of b, n being the values in each.
 */
function onnxVariance(name: string): Float64Array {
  const initial = initialState(graphs).find((tensor) => tensor.name === name)!;
  let [own, theirs] = [Float64Array.from(initial.data), Float64Array.from(initial.data)];
  for (const { rows, state } of golden.steps) {
    const count = rows.length * PLACES;
    const next = Float64Array.from(unpacked(state[name]!));
    const added = next.map((value, c) => ((value - MOMENTUM * theirs[c]!) * (count - 1)) / count);
    own = own.map((value, c) => MOMENTUM * value + added[c]!);
    theirs = next;
  }
  return own;
}

describe('running statistics', () => {
  it('are states beside the parameters', () => {
    const { parameters, statistics, frozen } = graphs.manifest;
    assert.deepEqual(
      statistics.map(({ name }) => name),
      ['norm1.running_mean', 'norm1.running_var', 'norm2.running_mean', 'norm2.running_var'],
    );
    assert.ok(!parameters.some(({ name }) => name.includes('running')));
    assert.deepEqual(frozen, []);
  });

  it('become, with parameters and losses, what they become in PyTorch', async () => {
    const { losses, state } = await trainByEpoch(graphs, minibatches());
    losses.forEach((loss, step) => {
      const expected = golden.steps[step]!.loss;
      assert.ok(Math.abs(loss / expected - 1) < 1e-5, `step ${step}: ${loss}, not ${expected}`);
    });
    const last = golden.steps.at(-1)!.state;
    for (const { name, data } of state) {
      const expected = name.endsWith('running_var') ? onnxVariance(name) : unpacked(last[name]!);
      data.forEach((value, i) => {
        const error = Math.abs(value - expected[i]!);
        assert.ok(error < 1e-5, `${name}[${i}]: ${value}, not ${expected[i]}`);
      });
    }
  });

  it('are the same bits by epoch and by step', async () => {
    const epoch = await trainByEpoch(graphs, minibatches());
    assert.deepEqual(await trainBySteps(graphs, minibatches()), epoch);
  });
});
