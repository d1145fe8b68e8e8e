import { type Random, seededRandom } from '../basics/seeded-random.ts';
import {
  dataType,
  encodeModel,
  GraphProto,
  ModelProto,
  NodeProto,
  type TensorProto,
} from './model/onnx-proto.ts';
import { floatTensor, shapeSize } from './model/onnx-tensor.ts';
import { portToValueInfo } from './model/value-info.ts';

export interface MlpOptions {
  readonly inputs: number;
  /** The widths of the hidden layers, from the input on. */
  readonly hidden: readonly number[];
  readonly outputs: number;
  /** After each hidden layer; `relu` unless given. */
  readonly activation?: 'relu' | 'tanh';
  readonly seed: number;
}

const OPSET = 21;
const IR_VERSION = 10;
const type = dataType.float32;

/**
 * A multilayer perceptron as an ONNX model, ready to train: `x` float [batch, inputs] ->
 * `y` float [batch, outputs]. Weights are uniform, scaled by He et al. (arXiv 1502.01852, eq. 10)
 * before a Relu and by Glorot & Bengio (AISTATS 2010, eq. 16) elsewhere; biases are zero. The same
 * options give the same bytes.
 */
export function createMlpModel(options: MlpOptions): Uint8Array<ArrayBuffer> {
  const { inputs, hidden, outputs, activation = 'relu', seed } = options;
  const random = seededRandom(seed);
  const node: NodeProto[] = [];
  const initializer: TensorProto[] = [];
  let value = 'x';
  let width = inputs;
  [...hidden, outputs].forEach((nextWidth, index) => {
    const layer = `layer${index + 1}`;
    const isLast = index === hidden.length;
    const fan = isLast || activation === 'tanh' ? width + nextWidth : width;
    const bound = Math.sqrt(6 / fan);
    initializer.push(
      weights(`${layer}.weight`, [width, nextWidth], () => (2 * random() - 1) * bound),
      weights(`${layer}.bias`, [nextWidth], () => 0),
    );
    const sum = isLast ? 'y' : layer;
    node.push(
      operation('Gemm', [value, `${layer}.weight`, `${layer}.bias`], sum),
      ...(isLast ? [] : [operation(operators[activation], [sum], `${layer}.${activation}`)]),
    );
    value = `${layer}.${activation}`;
    width = nextWidth;
  });
  const graph = GraphProto.create({
    name: 'mlp',
    node,
    initializer,
    input: [portToValueInfo({ name: 'x', type, shape: [null, inputs] })],
    output: [portToValueInfo({ name: 'y', type, shape: [null, outputs] })],
  });
  const opsetImport = [{ domain: '', version: OPSET }];
  return encodeModel(
    ModelProto.create({ irVersion: IR_VERSION, opsetImport, producerName: 'diten', graph }),
  );
}

const operators = { relu: 'Relu', tanh: 'Tanh' } as const;

function weights(name: string, shape: readonly number[], next: Random): TensorProto {
  const data = Float32Array.from({ length: shapeSize(shape) }, next);
  return floatTensor(name, shape, { type, data });
}

function operation(opType: string, input: readonly string[], output: string): NodeProto {
  return NodeProto.create({ name: output, opType, input: [...input], output: [output] });
}
