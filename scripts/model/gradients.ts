import { join } from 'node:path';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { OnnxRuntimeError, type OnnxTensor, type OnnxTensors } from '#runtime/onnx/onnx-runtime.ts';
import { ProgramError } from '#runtime/process/program-error.ts';
import { gradientName, portNames } from '#shared/training/artefact-names.ts';
import { classCount, type LossName, type LossOptions } from '#shared/training/losses.ts';
import { dataType } from '#shared/training/model/onnx-proto.ts';
import type { Port } from '#shared/training/model/shape.ts';
import { readSourceGraph } from '#shared/training/model/source-graph.ts';
import {
  decodeTensorFile,
  encodeTensorFile,
  type TensorValues,
  tensorValues,
  typeOfArray,
} from '#shared/training/model/tensor-file.ts';
import { compileModel } from './compile-model.ts';
import { makeFolder, readInputFile, readModelFile, unwrap, writeOutputFile } from './model-file.ts';
import { describePort, typeName } from './port-text.ts';

interface GradientsOptions {
  readonly data: string;
  readonly loss: LossName;
  readonly freeze: readonly string[];
  readonly out: string;
}

/** `diten model gradients`: every example counts the same, as PyTorch's `mean` reduction has it. */
export async function gradients(file: string, options: GradientsOptions): Promise<void> {
  const { data, freeze, out } = options;
  const model = readModelFile(file);
  const target = readTensor(join(data, 'target_0.pb'));
  const loss = lossFor(options.loss, target);
  const graphs = await compileModel(model, { file, options: { loss, freeze } });
  const { manifest } = graphs;
  const files = outputFiles(manifest.parameters.map(({ name }) => name));

  const examples = manifest.inputs.map((port, index) =>
    fitted(readTensor(join(data, `input_${index}.pb`)), port),
  );
  const fittedTarget = fitted(target, { ...manifest.target, name: 'a target' });
  checkClasses(fittedTarget, classCount(loss, manifest.output));
  const count = fittedTarget.tensor.shape[0]!;
  for (const { file: input, tensor } of examples) {
    if (tensor.shape[0] === count) continue;
    throw misfit(input, `has ${tensor.shape[0]} examples, the target has ${count}`);
  }
  const weights = floats(manifest.output.type, count, 1 / count);
  const results = await runOnce(file, graphs.gradients, {
    ...parameterFeeds(
      model,
      manifest.parameters.map(({ name }) => name),
    ),
    ...Object.fromEntries(manifest.inputs.map(({ name }, k) => [name, examples[k]!.tensor])),
    [portNames.target]: fittedTarget.tensor,
    [portNames.weights]: { shape: [count], data: weights },
  });
  makeFolder(out);
  const write = (name: string, path: string, result: OnnxTensor): void =>
    writeOutputFile(join(out, path), encodeTensorFile({ name, ...result } as TensorValues));
  write('loss', 'loss.pb', results[portNames.loss]!);
  for (const [name, path] of files) write(name, path, results[gradientName(name)]!);
  console.log(`loss ${results[portNames.loss]!.data[0]}`);
  console.log(`${out}: loss.pb and ${files.size} gradients`);
}

/** Fails where the data make the model fail, such as an index that is outside of a table. */
async function runOnce(file: string, graph: Uint8Array, feeds: OnnxTensors): Promise<OnnxTensors> {
  try {
    await using session = await nodeOnnxRuntime.load(graph);
    return await session.run(feeds);
  } catch (cause) {
    if (!(cause instanceof OnnxRuntimeError)) throw cause;
    const detail = cause.message.replaceAll(/\s+/g, ' ');
    throw new ProgramError(
      'model-failed',
      `${file}: ${detail}; check that the model itself runs on these inputs`,
      { cause },
    );
  }
}

/** A file of each parameter's own. */
function outputFiles(parameters: readonly string[]): Map<string, string> {
  const files = new Map<string, string>();
  const taken = new Map<string, string>();
  for (const name of parameters) {
    const path = `gradient_${name.replaceAll('/', '_')}.pb`;
    const other = taken.get(path);
    if (other !== undefined) {
      throw new ProgramError(
        'names-collide',
        `the gradients of ${other} and ${name} would both be ${path}; freeze one with --freeze`,
      );
    }
    taken.set(path, name);
    files.set(name, path);
  }
  return files;
}

interface TensorFile {
  readonly file: string;
  readonly tensor: TensorValues;
}

function readTensor(file: string): TensorFile {
  const tensor = unwrap(decodeTensorFile(readInputFile(file)), file);
  const bad = Array.from(tensor.data, Number).findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return { file, tensor };
  throw misfit(file, `holds ${tensor.data[bad]} as value ${bad}; leave that example out`);
}

/** A float target of a cross-entropy holds probabilities, one of whole numbers class ids. */
function lossFor(kind: LossName, { tensor }: TensorFile): LossOptions {
  if (kind !== 'cross-entropy') return { kind };
  const isFloat = tensor.data instanceof Float32Array || tensor.data instanceof Float64Array;
  return { kind, target: isFloat ? 'probabilities' : 'ids' };
}

/** The tensor as the port takes it; int32 goes for int64. */
function fitted({ file, tensor }: TensorFile, port: Port): TensorFile {
  const wide =
    tensor.data instanceof Int32Array && port.type === dataType.int64
      ? { ...tensor, data: BigInt64Array.from(tensor.data, BigInt) }
      : tensor;
  const { shape, data } = wide;
  const fits =
    typeOfArray(data) === port.type &&
    shape.length === port.shape.length &&
    shape.every((size, axis) => (port.shape[axis] ?? size) === size) &&
    shape[0]! > 0;
  if (fits) return { file, tensor: wide };
  const found = `${typeName(typeOfArray(data))} [${shape.join(', ')}]`;
  throw misfit(file, `is ${found}, where ${describePort(port)} is due; write it so`);
}

function checkClasses({ file, tensor }: TensorFile, classes: number | undefined): void {
  if (classes === undefined) return;
  const bad = Array.from(tensor.data, Number).findIndex((id) => id < 0 || id >= classes);
  if (bad < 0) return;
  throw new ProgramError(
    'class-out-of-range',
    `${file}: value ${bad} is class ${tensor.data[bad]}, the model knows 0 to ${classes - 1}`,
  );
}

/** The parameters in their own type: the manifest has them as float32. */
function parameterFeeds(model: Uint8Array, names: readonly string[]): Record<string, OnnxTensor> {
  const { initialisers } = unwrap(readSourceGraph(model), 'the model');
  return Object.fromEntries(
    names.map((name) => [name, unwrap(tensorValues(initialisers.get(name)!), name)]),
  );
}

function floats(type: number, count: number, value: number): OnnxTensor['data'] {
  return type === dataType.float64
    ? new Float64Array(count).fill(value)
    : new Float32Array(count).fill(value);
}

function misfit(file: string, what: string): ProgramError {
  return new ProgramError('data-misfit', `${file} ${what}`);
}
