import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { gradientName, portNames } from '../artefact-names.ts';
import { compileTraining } from '../compile-training.ts';
import type { Attributes } from '../model/attributes.ts';
import { dataType, TensorProto } from '../model/onnx-proto.ts';
import { type FloatType, floatTensor, int64Tensor, shapeSize } from '../model/onnx-tensor.ts';
import type { Shape } from '../model/shape.ts';
import { buildModel, type FixtureNode, port, randomValues } from '../model-fixture.ts';
import { ruleTable } from '../rules/rule-table.ts';

/** A parameter drawn from the stream, unless its values are listed. */
interface Operand {
  readonly shape: readonly number[];
  /** -1 and 1 unless given. */
  readonly range?: readonly [number, number];
  /** A constant of the type that the model trains in. */
  readonly float?: readonly number[];
  readonly float32?: readonly number[];
  readonly int64?: readonly number[];
  readonly int32?: readonly number[];
  readonly bool?: readonly number[];
}

/** What scripts/goldens/operators.py writes: one node, and PyTorch's gradients in float64. */
interface Golden {
  readonly operator: string;
  /** The oldest of the rule and the newest unless given. */
  readonly opsets?: readonly number[];
  /** float32 where the runtime has no float64 kernel. */
  readonly type?: 'float32';
  readonly attributes?: Attributes;
  readonly inputs: readonly (Operand | null)[];
  /** Their shapes; `null` for an output that the loss does not depend on. */
  readonly outputs: readonly (readonly number[] | null)[];
  /** The batch, for an operator that looks across it; 1 unless given. */
  readonly rows?: number;
  /** The mean squared distance of all outputs from the stream. */
  readonly loss: number;
  /** Flat, by the place of the input. */
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

const TARGET_SEED = 99;
const INT32 = 6;

/** Of the largest value; the numbers have nine digits for float64, else seven. */
const tolerances = { [dataType.float64]: 1e-8, [dataType.float32]: 1e-5 } as const;

const folder = new URL('./operators/', import.meta.url);
const goldens = readdirSync(folder).flatMap(
  (file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Golden[],
);

/**
 * A constant as it stands. A parameter has an axis of size 1 more in front, which a node takes away
 * again: a scalar would not train, and the compiler does without an Identity of a parameter.
 */
function operandTensor(operand: Operand, name: string, type: FloatType): TensorProto {
  const { shape, range: [low, high] = [-1, 1], float, float32, int64, int32, bool } = operand;
  if (int64) return int64Tensor(name, shape, int64);
  if (float) return floatTensor(name, shape, { type, data: float });
  if (float32) return floatTensor(name, shape, { type: dataType.float32, data: float32 });
  const listed = int32 ?? bool;
  if (listed) {
    const kind = int32 ? INT32 : dataType.bool;
    const dims = [...shape];
    return TensorProto.create({ name, dims, dataType: kind, int32Data: [...listed] });
  }
  const drawn = randomValues(shapeSize(shape), 10 + Number(name));
  const data = drawn.map((value) => low + ((value + 1) / 2) * (high - low));
  return floatTensor(name, [1, ...shape], { type, data });
}

/** y [rows, size] = x + all outputs; a parameter is named by its place, an output `y0`. */
function goldenModel(golden: Golden, opset: number, type: FloatType) {
  const { operator, attributes, inputs, outputs, rows = 1, gradients } = golden;
  const nodes: FixtureNode[] = [];
  const initialisers = [int64Tensor('flat', [2], [rows, -1]), int64Tensor('front', [1], [0])];
  const shapes = new Map<string, Shape>();
  const names = inputs.map((operand, index) => {
    if (operand === null) return '';
    const place = `${index}`;
    initialisers.push(operandTensor(operand, place, type));
    if (!(place in gradients)) return place;
    nodes.push(['Squeeze', [place, 'front'], `x${place}`]);
    shapes.set(`x${place}`, operand.shape);
    return `x${place}`;
  });
  nodes.push([operator, names, outputs.map((_, index) => `y${index}`), attributes]);
  const parts: string[] = [];
  let size = 0;
  for (const [index, shape] of outputs.entries()) {
    if (shape === null) continue;
    const part = `part${index}`;
    const length = shapeSize(shape) / rows;
    nodes.push(['Reshape', [`y${index}`, 'flat'], part]);
    shapes.set(`y${index}`, shape).set(part, [rows, length]);
    parts.push(part);
    size += length;
  }
  nodes.push(['Concat', parts, 'all', { axis: { int: 1 } }], ['Add', ['all', 'x'], 'y']);
  const [inputPorts, outputPorts] = ['x', 'y'].map((name) => [port(name, [null, size], type)]);
  const graph = { opset, nodes, initialisers, inputs: inputPorts!, outputs: outputPorts! };
  return { model: buildModel(graph), shapes: shapes.set('all', [rows, size]), size };
}

async function checkGolden(golden: Golden, opset: number): Promise<void> {
  const type = golden.type === 'float32' ? dataType.float32 : dataType.float64;
  const { model, shapes, size } = goldenModel(golden, opset, type);
  const graphs = compileTraining(model, { loss: 'mse', optimiser: { kind: 'sgd' }, shapes });
  assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
  const { gradients, manifest } = graphs.value;
  const { rows = 1 } = golden;
  assert.deepEqual(
    manifest.parameters.map(({ name }) => name).sort(),
    Object.keys(golden.gradients),
  );
  const tensor = (shape: readonly number[], data: Iterable<number>) => ({
    shape,
    data: type === dataType.float64 ? Float64Array.from(data) : Float32Array.from(data),
  });
  await using session = await nodeOnnxRuntime.load(gradients);
  const found = await session.run({
    ...Object.fromEntries(manifest.parameters.map((p) => [p.name, tensor(p.shape, p.data)])),
    x: tensor([rows, size], new Float32Array(rows * size)),
    [portNames.target]: tensor([rows, size], randomValues(rows * size, TARGET_SEED)),
    [portNames.weights]: tensor([rows], new Array<number>(rows).fill(1 / rows)),
  });
  const check = (output: string, expected: readonly number[]) => {
    const values = Array.from(found[output]!.data, Number);
    assert.equal(values.length, expected.length);
    const distances = values.map((value, i) => Math.abs(value - expected[i]!));
    const error = Math.max(...distances) / Math.max(...expected.map(Math.abs));
    assert.ok(error <= tolerances[type], `${output}: ${error}`);
  };
  check(portNames.loss, [golden.loss]);
  for (const [place, expected] of Object.entries(golden.gradients)) {
    assert.deepEqual(found[gradientName(place)]!.shape, [
      1,
      ...golden.inputs[Number(place)]!.shape,
    ]);
    check(gradientName(place), expected);
  }
}

describe('operators have the gradients PyTorch finds', () => {
  for (const golden of goldens) {
    const { operator, inputs, attributes = {} } = golden;
    const { oldest, newest } = ruleTable.get(`:${operator}`)!.opsets;
    const shapes = inputs.map((input) => (input === null ? '-' : `[${input.shape}]`));
    const options = Object.entries(attributes).map(([name, value]) => [
      name,
      ...Object.values(value).flat(),
    ]);
    const parts = [`${operator} of ${shapes.join(' ')}`, ...options.map((o) => o.join(' '))];
    for (const opset of golden.opsets ?? [oldest, newest]) {
      it(`${parts.join(', ')}, opset ${opset}`, () => checkGolden(golden, opset));
    }
  }

  it('each in one case or more', () => {
    const tried = new Set(goldens.map(({ operator }) => `:${operator}`));
    assert.deepEqual(
      [...ruleTable.keys()].filter((key) => !tried.has(key)),
      [],
    );
  });
});
