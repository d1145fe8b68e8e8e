import assert from 'node:assert/strict';
import { it } from 'node:test';
import { compileTraining, type TrainingGraphs } from '../compile-training.ts';
import { checkGradients } from '../gradient.contract.ts';
import type { Attributes } from '../model/attributes.ts';
import { dataType, TensorProto } from '../model/onnx-proto.ts';
import { type FloatType, floatTensor, int64Tensor, shapeSize } from '../model/onnx-tensor.ts';
import type { Port, Shape } from '../model/shape.ts';
import { opsetRange } from '../model/source-graph.ts';
import { buildModel, type FixtureNode, port, randomValues } from '../model-fixture.ts';
import { probedShapes } from '../probed-shapes.fixture.ts';
import type { Rule } from './rule.ts';

/** A parameter by its shape, a constant, or `''` for an input left out. */
type Operand = readonly number[] | TensorProto | '';

/** One node, whose gradients by all its parameters are checked. */
export interface RuleCase {
  readonly operator: string;
  readonly inputs: readonly Operand[];
  readonly attributes?: Attributes;
  /** Of each output; `null` for one that nothing depends on. */
  readonly outputs: readonly (readonly number[] | null)[];
  /** The oldest one, the newest, or both unless said. */
  readonly opsets?: readonly number[];
  /** float32 where the runtime has no float64 kernel. */
  readonly type?: FloatType;
  /** 1e-7, or 2e-3 in float32, unless given. */
  readonly tolerance?: number;
  /** Of the central differences, where not that of `checkGradients`. */
  readonly step?: number;
  /** The parameters' values lie between these: -1 and 1 unless said. */
  readonly range?: readonly [number, number];
  /** Where the function bends: parameters keep a distance from there. */
  readonly kinks?: readonly number[];
  /**
   * Whether axis 0 of the first input and of the first output is a batch that varies. The input is
   * then made of a parameter of one row and of the model's input.
   */
  readonly isBatched?: boolean;
  /** What tells the case from others of its name. */
  readonly title?: string;
}

const BATCH = 3;

/** Tries every case against central differences and by the adjoint dot test; covers all rules. */
export function checkRules(rules: readonly Rule[], cases: readonly RuleCase[]): void {
  for (const ruleCase of cases) {
    for (const opset of ruleCase.opsets ?? [opsetRange.oldest, opsetRange.newest]) {
      it(`${titleOf(ruleCase)}, opset ${opset}`, () => checkCase(ruleCase, opset));
    }
  }

  it('are all tried', () => {
    const tried = new Set(cases.map(({ operator }) => operator));
    assert.deepEqual(
      rules.map(({ operator }) => operator).filter((operator) => !tried.has(operator)),
      [],
    );
  });
}

function titleOf({ operator, inputs, attributes = {}, title, isBatched, type }: RuleCase): string {
  const shapes = inputs.filter((input) => Array.isArray(input)).map((shape) => `[${shape}]`);
  const options = Object.entries(attributes).map(
    ([name, value]) => `${name} ${Object.values(value)}`,
  );
  const parts = [title, ...options, isBatched && 'batched', type === dataType.float32 && 'float32'];
  return [`${operator} of ${shapes.join(' ')}`, ...parts.filter(Boolean)].join(', ');
}

async function checkCase(ruleCase: RuleCase, opset: number): Promise<void> {
  const { inputs, isBatched = false, outputs, type = dataType.float64 } = ruleCase;
  const graphs = await compileModel(caseModel(ruleCase, opset));
  const rows = isBatched ? outputs[0]![0]! : BATCH;
  const check = await checkGradients(graphs, rows, ruleCase.step);
  const tolerance = ruleCase.tolerance ?? (type === dataType.float64 ? 1e-7 : 2e-3);
  assert.ok(check.differenceError < tolerance, `central differences: ${check.differenceError}`);
  assert.ok(check.adjointError < tolerance, `adjoint: ${check.adjointError}`);
  assert.equal(check.magnitudes.size, inputs.filter(isParameter).length);
  for (const [name, magnitude] of check.magnitudes) assert.ok(magnitude > 1e-3, name);
}

/** Compiles as the trainer does: with the shapes that a probe run tells. */
export async function compileModel(model: Uint8Array<ArrayBuffer>): Promise<TrainingGraphs> {
  const graphs = compileTraining(model, {
    loss: { kind: 'mse' },
    optimiser: { kind: 'sgd' },
    shapes: await probedShapes(model),
  });
  assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
  return graphs.value;
}

/** A model whose output has a row per example and is made of all outputs of the operator. */
function caseModel(ruleCase: RuleCase, opset: number): Uint8Array<ArrayBuffer> {
  const { inputs, attributes = {}, isBatched = false, outputs, operator } = ruleCase;
  const { type = dataType.float64 } = ruleCase;
  const initialisers = inputs.flatMap((input, index) => caseTensor(ruleCase, input, index));
  const names = inputs.map((input, index) => (input === '' ? '' : inputName(input, index)));
  const made = outputs.map((_, index) => `z${index}`);
  if (isBatched) {
    const node = [operator, ['batched', ...names.slice(1)], made, attributes] as const;
    const shape = (sizes: readonly number[]): Shape => [null, ...sizes.slice(1)];
    return buildModel({
      opset,
      initialisers,
      nodes: [['Mul', ['x', 'p0'], 'batched'], node],
      inputs: [port('x', shape(inputs[0] as number[]), type)],
      outputs: [port('z0', shape(outputs[0]!), type)],
    });
  }
  const node = [operator, names, made, attributes] as const;
  return buildModel({
    opset,
    ...rowOfOutputs(ruleCase, node),
    initialisers: [...initialisers, int64Tensor('row', [2], [1, -1])],
  });
}

/** y = x + all outputs in one row. */
function rowOfOutputs(
  { outputs, type = dataType.float64 }: RuleCase,
  node: FixtureNode,
): { nodes: FixtureNode[]; inputs: Port[]; outputs: Port[] } {
  const read = outputs.flatMap((shape, index) => (shape === null ? [] : [`z${index}`]));
  const size = outputs.reduce((sum, shape) => sum + (shape === null ? 0 : shapeSize(shape)), 0);
  const rows: FixtureNode[] = read.map((name) => ['Reshape', [name, 'row'], `${name}/row`]);
  return {
    nodes: [
      node,
      ...rows,
      ['Concat', rows.map(([, , row]) => row as string), 'all', { axis: { int: 1 } }],
      ['Add', ['all', 'x'], 'y'],
    ],
    inputs: [port('x', [null, size], type)],
    outputs: [port('y', [null, size], type)],
  };
}

function isParameter(input: Operand): input is readonly number[] {
  return Array.isArray(input);
}

function inputName(input: Operand, index: number): string {
  return isParameter(input) ? `p${index}` : `c${index}`;
}

function caseTensor(ruleCase: RuleCase, input: Operand, index: number): TensorProto[] {
  if (input === '') return [];
  const name = inputName(input, index);
  if (!isParameter(input)) return [TensorProto.create({ ...(input as TensorProto), name })];
  const { type = dataType.float64, isBatched = false } = ruleCase;
  const shape = isBatched && index === 0 ? [1, ...input.slice(1)] : input;
  const data = Array.from(randomValues(shapeSize(shape), 10 + index), (value) =>
    placed(value, ruleCase),
  );
  return [floatTensor(name, shape, { type, data })];
}

/** A value between -1 and 1, moved to the range of the case and away from its kinks. */
function placed(value: number, { range: [low, high] = [-1, 1], kinks = [] }: RuleCase): number {
  const MARGIN = 0.05;
  const moved = low + ((value + 1) / 2) * (high - low);
  const kink = kinks.find((place) => Math.abs(moved - place) < MARGIN);
  if (kink === undefined) return moved;
  return moved < kink ? kink - MARGIN : kink + MARGIN;
}

/** A constant operand. */
export function int64s(values: readonly number[], shape: readonly number[] = [values.length]) {
  return int64Tensor('', shape, values);
}

/** The same in int32. */
export function int32s(values: readonly number[], shape: readonly number[] = [values.length]) {
  const rawData = new Uint8Array(Int32Array.from(values).buffer);
  return TensorProto.create({ dims: [...shape], dataType: 6, rawData });
}

/** The same in boolean. */
export function booleans(values: readonly boolean[], shape: readonly number[] = [values.length]) {
  return TensorProto.create({
    dims: [...shape],
    dataType: dataType.bool,
    rawData: Uint8Array.from(values, Number),
  });
}

/** The same in a float type; a scalar unless a shape is given. */
export function floats(
  values: readonly number[],
  { shape = [], type = dataType.float64 }: { shape?: readonly number[]; type?: FloatType } = {},
) {
  return floatTensor('', shape, { type, data: values });
}
