import { seededRandom } from '../basics/seeded-random.ts';
import { type Attributes, attributesToProto } from './model/attributes.ts';
import {
  dataType,
  encodeModel,
  GraphProto,
  ModelProto,
  NodeProto,
  type TensorProto,
} from './model/onnx-proto.ts';
import { type FloatType, floatTensor, shapeSize } from './model/onnx-tensor.ts';
import type { Port } from './model/shape.ts';
import { portToValueInfo } from './model/value-info.ts';

/** A node of a test model: `['Gemm', ['x', 'w'], 'y', { transB: { int: 1 } }]`; or `['y', 'z']`. */
export type FixtureNode = readonly [
  operator: string,
  inputs: readonly string[],
  output: string | readonly string[],
  attributes?: Attributes,
  domain?: string,
];

export interface ModelFixture {
  readonly opset?: number;
  readonly nodes: readonly FixtureNode[];
  readonly initialisers: readonly TensorProto[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** A model for tests, in the same bytes each time. */
export function buildModel(fixture: ModelFixture): Uint8Array<ArrayBuffer> {
  const { opset = 21, nodes, initialisers, inputs, outputs } = fixture;
  const graph = GraphProto.create({
    name: 'fixture',
    node: nodes.map(([opType, input, output, attributes = {}, domain = '']) =>
      NodeProto.create({
        name: `make ${[output].flat().join(' ')}`,
        opType,
        domain,
        input: [...input],
        output: [output].flat(),
        attribute: attributesToProto(attributes),
      }),
    ),
    initializer: [...initialisers],
    input: inputs.map(portToValueInfo),
    output: outputs.map(portToValueInfo),
  });
  const opsetImport = [
    { domain: '', version: opset },
    { domain: 'com.example', version: 1 },
  ];
  return encodeModel(ModelProto.create({ irVersion: 8, opsetImport, graph }));
}

/** A port of float64, so that central differences have digits to spare, or of another type. */
export function port(name: string, shape: Port['shape'], type: number = dataType.float64): Port {
  return { name, type, shape };
}

/** An initialiser of values between -1 and 1. */
export function randomTensor(
  name: string,
  shape: readonly number[],
  { seed, type = dataType.float64 }: { seed: number; type?: FloatType },
): TensorProto {
  return floatTensor(name, shape, { type, data: randomValues(shapeSize(shape), seed) });
}

/** Values between -1 and 1, exact in float32. */
export function randomValues(length: number, seed: number): Float32Array<ArrayBuffer> {
  const random = seededRandom(seed);
  return Float32Array.from({ length }, () => 2 * random() - 1);
}
