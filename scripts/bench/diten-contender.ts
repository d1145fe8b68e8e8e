import { createInterface } from 'node:readline';
import { compileTask } from '#device-agent/training/training-task.ts';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import type { OnnxTensor, OnnxTensors } from '#runtime/onnx/onnx-runtime.ts';
import { seededRandom } from '#shared/basics/seeded-random.ts';
import {
  dataName,
  finalName,
  initialName,
  nextName,
  portNames,
} from '#shared/training/artefact-names.ts';
import type { TrainingGraphs, TrainingManifest } from '#shared/training/compile-training.ts';
import { shapeSize } from '#shared/training/model/onnx-tensor.ts';
import { createBenchModel } from './bench-models.ts';
import type { ContenderTask } from './contender.ts';

// Trains a model as `diten bench training` asks: see contender.ts for what is said and answered.

const EXAMPLES = 256;
const CHUNK_STEPS = 100;
const RATE = 0.01;

const task = JSON.parse(process.argv[2]!) as ContenderTask;
const random = seededRandom(1);
const model = createBenchModel(task);
const { loss } = task;
const compiled = await compileTask(nodeOnnxRuntime, { model, loss, optimiser: { kind: 'sgd' } });
if (compiled.ok) await contend(compiled.value);
else say({ refused: compiled.error.message });

async function contend(graphs: TrainingGraphs): Promise<void> {
  const { manifest } = graphs;
  const run = task.way === 'epoch' ? await epochRunner(graphs) : await stepRunner(graphs);
  say({
    parameters: manifest.parameters.reduce((sum, { data }) => sum + data.length, 0),
    version: `onnxruntime-node, opset ${manifest.opset}`,
  });
  for await (const line of createInterface({ input: process.stdin })) {
    const { steps } = JSON.parse(line) as { steps: number };
    const order = BigInt64Array.from({ length: steps * task.batch }, () =>
      BigInt(Math.floor(random() * EXAMPLES)),
    );
    const start = performance.now();
    await run(order, steps);
    const seconds = (performance.now() - start) / 1000;
    say({ seconds, memoryBytes: process.resourceUsage().maxRSS * 1024 });
  }
}

type Runner = (order: BigInt64Array<ArrayBuffer>, steps: number) => Promise<void>;

async function epochRunner(graphs: TrainingGraphs): Promise<Runner> {
  const { manifest } = graphs;
  const session = await nodeOnnxRuntime.load(graphs.epoch);
  const { x, target } = exampleData(manifest);
  const data = { [dataName(manifest.inputs[0]!.name)]: x, [dataName(portNames.target)]: target };
  let state = initialState(manifest);
  return async (order, steps) => {
    for (let done = 0; done < steps; done += CHUNK_STEPS) {
      const count = Math.min(CHUNK_STEPS, steps - done);
      const rows = order.subarray(done * task.batch, (done + count) * task.batch);
      const results = await session.run({
        ...renamed(state, initialName),
        ...data,
        [portNames.order]: { shape: [count, task.batch], data: rows },
        [portNames.rates]: { shape: [count], data: new Float32Array(count).fill(RATE) },
      });
      state = Object.fromEntries(
        Object.keys(state).map((name) => [name, results[finalName(name)]!]),
      );
    }
  };
}

async function stepRunner(graphs: TrainingGraphs): Promise<Runner> {
  const { manifest } = graphs;
  const session = await nodeOnnxRuntime.load(graphs.step);
  const { x, target } = exampleData(manifest);
  const weights = new Float32Array(task.batch).fill(1 / task.batch);
  let state = initialState(manifest);
  return async (order, steps) => {
    for (let step = 0; step < steps; step++) {
      const rows = order.subarray(step * task.batch, (step + 1) * task.batch);
      const results = await session.run({
        ...state,
        [manifest.inputs[0]!.name]: gathered(x, rows),
        [portNames.target]: gathered(target, rows),
        [portNames.weights]: { shape: [task.batch], data: weights },
        [portNames.rate]: { shape: [], data: Float32Array.of(RATE) },
      });
      state = Object.fromEntries(
        Object.keys(state).map((name) => [name, results[nextName(name)]!]),
      );
    }
  };
}

function initialState({ parameters, slots }: TrainingManifest): OnnxTensors {
  return Object.fromEntries([...parameters, ...slots].map((tensor) => [tensor.name, tensor]));
}

function renamed(tensors: OnnxTensors, rename: (name: string) => string): OnnxTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, value]) => [rename(name), value]));
}

function exampleData({ inputs }: TrainingManifest): { x: OnnxTensor; target: OnnxTensor } {
  const shape = inputs[0]!.shape.map((size) => size ?? EXAMPLES);
  const values = (length: number) => Float32Array.from({ length }, () => 2 * random() - 1);
  const x = { shape, data: values(shapeSize(shape)) };
  const classes = BigInt64Array.from({ length: EXAMPLES }, () =>
    BigInt(Math.floor(random() * task.outputs)),
  );
  const target =
    task.loss === 'cross-entropy'
      ? { shape: [EXAMPLES], data: classes }
      : { shape: [EXAMPLES, task.outputs], data: values(EXAMPLES * task.outputs) };
  return { x, target };
}

function gathered({ shape, data }: OnnxTensor, rows: BigInt64Array): OnnxTensor {
  const size = shapeSize(shape.slice(1));
  const make = data.constructor as new (length: number) => Float32Array;
  const batch = new make(rows.length * size);
  rows.forEach((row, index) => {
    const from = Number(row) * size;
    batch.set((data as Float32Array).subarray(from, from + size), index * size);
  });
  return { shape: [rows.length, ...shape.slice(1)], data: batch };
}

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
