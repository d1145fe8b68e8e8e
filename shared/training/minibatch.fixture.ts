import assert from 'node:assert/strict';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import type { OnnxLoadOptions, OnnxTensor, OnnxTensors } from '#runtime/onnx/onnx-runtime.ts';
import type { NamedTensor } from '../codec/tensor.ts';
import {
  dataName,
  finalName,
  initialName,
  nextName,
  noiseName,
  noisesName,
  portNames,
} from './artefact-names.ts';
import type { TrainingGraphs } from './compile-training.ts';
import { dataType } from './model/onnx-proto.ts';
import type { Port } from './model/shape.ts';
import { randomValues } from './model-fixture.ts';

/** Some float32 training to run, by `epoch` or by `step`. */
export interface Minibatches {
  /** Model inputs and target by name, all rows. */
  readonly data: OnnxTensors;
  /** [M, batch], -1 where there is no row. */
  readonly order: readonly number[];
  readonly batch: number;
  /** [M] */
  readonly rates: readonly number[];
  /** Inputs that are the same in every step. */
  readonly terms?: OnnxTensors;
  /** [M, ...] by parameter. */
  readonly noises?: OnnxTensors;
}

export interface Trained {
  readonly losses: readonly number[];
  /** Parameters, then slots. */
  readonly state: readonly NamedTensor[];
}

/** Ten random rows in three minibatches, the last one short, in no particular order. */
export function randomMinibatches({ manifest }: TrainingGraphs): Minibatches {
  const count = 10;
  const tensor = (port: Port, seed: number): OnnxTensor => {
    const shape = port.shape.map((size) => size ?? count);
    const values = randomValues(
      shape.reduce((product, size) => product * size, 1),
      seed,
    );
    if (port.type === dataType.float32) return { shape, data: values };
    const classes = manifest.output.shape[1] ?? 1;
    const ids = BigInt64Array.from(values, (each) => BigInt(Math.floor(Math.abs(each) * classes)));
    return { shape, data: ids };
  };
  return {
    data: Object.fromEntries([
      ...manifest.inputs.map((port, index) => [port.name, tensor(port, 1 + index)]),
      [manifest.target.name, tensor(manifest.target, 99)],
    ]),
    order: [7, 2, 9, 0, 1, 3, 8, 5, 6, 4, -1, -1],
    batch: 4,
    rates: [0.1, 0.05, 0.02],
  };
}

/** All minibatches by one call of `epoch`. */
export async function trainByEpoch(
  graphs: TrainingGraphs,
  { data, order, batch, rates, terms = {}, noises = {} }: Minibatches,
  options: OnnxLoadOptions = {},
): Promise<Trained> {
  await using session = await nodeOnnxRuntime.load(graphs.epoch, options);
  const state = initialState(graphs);
  const outputs = await session.run({
    ...feedsOf(state, initialName),
    ...renamed(data, dataName),
    [portNames.order]: { shape: [rates.length, batch], data: BigInt64Array.from(order, BigInt) },
    [portNames.rates]: { shape: [rates.length], data: Float32Array.from(rates) },
    ...terms,
    ...renamed(noises, noisesName),
  });
  return {
    losses: [...floatsOf(outputs[portNames.losses])],
    state: state.map((t) => ({ ...t, data: floatsOf(outputs[finalName(t.name)]) })),
  };
}

/** The same by a call of `step` for each. */
export async function trainBySteps(
  graphs: TrainingGraphs,
  { data, order, batch, rates, terms = {}, noises = {} }: Minibatches,
  options: OnnxLoadOptions = {},
): Promise<Trained> {
  await using session = await nodeOnnxRuntime.load(graphs.step, options);
  let state = initialState(graphs);
  const losses: number[] = [];
  for (const [index, rate] of rates.entries()) {
    const rows = order.slice(index * batch, (index + 1) * batch);
    const noise = Object.entries(noises).map(([name, series]) => {
      const { shape, data: values } = pickRows(series, [index]);
      return [noiseName(name), { shape: shape.slice(1), data: values }];
    });
    const outputs = await session.run({
      ...feedsOf(state),
      ...batchFeeds(data, rows),
      [portNames.rate]: { shape: [], data: Float32Array.of(rate) },
      ...terms,
      ...Object.fromEntries(noise),
    });
    losses.push(...floatsOf(outputs[portNames.loss]));
    state = state.map((t) => ({ ...t, data: floatsOf(outputs[nextName(t.name)]) }));
  }
  return { losses, state };
}

/** What `step`, `gradients` and `evaluate` take of these rows; -1 is one without weight. */
export function batchFeeds(data: OnnxTensors, rows: readonly number[]): OnnxTensors {
  const real = rows.filter((row) => row >= 0).length;
  const picked = Object.entries(data).map(([name, tensor]) => [
    name,
    pickRows(
      tensor,
      rows.map((row) => Math.max(row, 0)),
    ),
  ]);
  return {
    ...Object.fromEntries(picked),
    [portNames.weights]: {
      shape: [rows.length],
      data: Float32Array.from(rows, (row) => (row < 0 ? 0 : 1 / real)),
    },
  };
}

export function initialState({ manifest }: TrainingGraphs): NamedTensor[] {
  return [...manifest.parameters, ...manifest.statistics, ...manifest.slots];
}

export function feedsOf(
  tensors: readonly NamedTensor[],
  rename = (name: string) => name,
): OnnxTensors {
  return Object.fromEntries(tensors.map((tensor) => [rename(tensor.name), tensor]));
}

export function floatsOf(tensor: OnnxTensor | undefined): Float32Array<ArrayBuffer> {
  assert.ok(tensor?.data instanceof Float32Array);
  return new Float32Array(tensor.data);
}

function renamed(tensors: OnnxTensors, rename: (name: string) => string): OnnxTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, each]) => [rename(name), each]));
}

function pickRows({ shape, data }: OnnxTensor, rows: readonly number[]): OnnxTensor {
  const [count, ...others] = shape as [number, ...number[]];
  const width = data.length / count;
  const picked = data.slice(0, rows.length * width);
  rows.forEach((row, index) => {
    for (let i = 0; i < width; i++) picked[index * width + i] = data[row * width + i]!;
  });
  return { shape: [rows.length, ...others], data: picked };
}
