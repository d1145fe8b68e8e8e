import { ok, type Result } from '../basics/result.ts';
import type { NamedTensor } from '../codec/tensor.ts';
import { statisticNames } from './batch-statistics.ts';
import { encodeModel, GraphProto, ModelProto, type TensorProto } from './model/onnx-proto.ts';
import {
  type FloatType,
  floatTensor,
  isFloatType,
  shapeSize,
  tensorShape,
  tensorToFloat32,
} from './model/onnx-tensor.ts';
import type { SourceGraph } from './model/source-graph.ts';
import { refuse, type TrainingFailure } from './training-failure.ts';

/**
 * The initialisers that may train: those of the trained output's float type that are not frozen.
 * The mean and the variance that a batch normalisation goes by are measurements, not parameters.
 * What is a constant of the model's arithmetic the exporter may say (`initialiser-roles.ts`); where
 * it does not, a scalar counts as one, and all else as a parameter.
 *
 * Errors: `unknown-parameter`, `model-invalid`.
 */
export function readParameters(
  source: SourceGraph,
  { floatType, frozen }: { floatType: FloatType; frozen: readonly string[] },
): Result<NamedTensor[], TrainingFailure> {
  const unknown = frozen.find((name) => !source.initialisers.has(name));
  if (unknown !== undefined) {
    return refuse('unknown-parameter', `cannot freeze ${unknown}: the model has no such parameter`);
  }
  const statistics = statisticNames(source);
  const parameters: NamedTensor[] = [];
  for (const [name, tensor] of source.initialisers) {
    const shape = tensorShape(tensor);
    const role = source.roles.get(name) ?? (shape.length === 0 ? 'constant' : 'parameter');
    if (tensor.dataType !== floatType || shapeSize(shape) === 0) continue;
    if (role === 'constant' || frozen.includes(name) || statistics.has(name)) continue;
    const data = tensorToFloat32(tensor);
    if (data === undefined) {
      return refuse(
        'model-invalid',
        `the data of parameter ${name} do not fit its shape [${shape}]; export the model again`,
      );
    }
    parameters.push({ name, shape, data });
  }
  return ok(parameters);
}

/** Every float initialiser that is not among `trained`. */
export function frozenParameters(source: SourceGraph, trained: readonly NamedTensor[]): string[] {
  const names = new Set(trained.map(({ name }) => name));
  return [...source.initialisers.values()]
    .filter(({ dataType, name }) => isFloatType(dataType) && !names.has(name))
    .map(({ name }) => name);
}

/**
 * The tensors given, in the order of those expected, where names and shapes are the same.
 *
 * Errors: `parameters-mismatch`.
 */
export function matchParameters(
  expected: readonly NamedTensor[],
  given: readonly NamedTensor[],
): Result<NamedTensor[], TrainingFailure> {
  const byName = new Map(given.map((tensor) => [tensor.name, tensor]));
  const matched: NamedTensor[] = [];
  for (const { name, shape, data } of expected) {
    const tensor = byName.get(name);
    if (tensor === undefined) return mismatch(`parameter ${name} is missing`);
    if (`${tensor.shape}` !== `${shape}` || tensor.data.length !== data.length) {
      return mismatch(
        `parameter ${name} has shape [${tensor.shape}] and ${tensor.data.length} values, the ` +
          `model has [${shape}] and ${data.length}`,
      );
    }
    matched.push(tensor);
  }
  if (given.length === expected.length) return ok(matched);
  return mismatch(`${given.length} parameters, the model has ${expected.length}`);
}

/** The model with the initialisers replaced by tensors of the same names and shapes. */
export function replaceParameters(
  source: SourceGraph,
  parameters: readonly NamedTensor[],
): Uint8Array<ArrayBuffer> {
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const initializer = [...source.initialisers.values()].map((tensor) => {
    const parameter = byName.get(tensor.name);
    return parameter === undefined ? tensor : replaceValues(tensor, parameter);
  });
  const graph = GraphProto.create({ ...source.model.graph, initializer });
  return encodeModel(ModelProto.create({ ...source.model, graph }));
}

function replaceValues(tensor: TensorProto, { name, shape, data }: NamedTensor): TensorProto {
  return floatTensor(name, shape, { type: tensor.dataType as FloatType, data });
}

function mismatch(what: string): Result<never, TrainingFailure> {
  return refuse('parameters-mismatch', `${what}; use parameters of this very model`);
}
