import { type Random, seededRandom } from '../basics/seeded-random.ts';
import { type Attributes, attributesToProto } from './model/attributes.ts';
import {
  dataType,
  encodeModel,
  GraphProto,
  ModelProto,
  NodeProto,
  type TensorProto,
} from './model/onnx-proto.ts';
import { floatTensor, int64Tensor, shapeSize } from './model/onnx-tensor.ts';
import type { Shape } from './model/shape.ts';
import { portToValueInfo } from './model/value-info.ts';

const OPSET = 21;
const IR_VERSION = 10;
const type = dataType.float32;

interface DraftPort {
  readonly name: string;
  readonly shape: Shape;
}

interface DraftNode {
  readonly operator: string;
  readonly inputs: readonly string[];
  /** The first names the node too. */
  readonly outputs: readonly string[];
  readonly attributes?: Attributes;
}

/** A new float32 model in the making; the same calls give the same bytes. Values are names. */
export interface ModelDraft {
  /** A parameter of uniform values between `-bound` and `bound`. */
  weight(name: string, shape: readonly number[], bound: number): string;
  /** A parameter of zeros. */
  zeros(name: string, shape: readonly number[]): string;
  /** A list of whole numbers, such as axes. */
  ints(name: string, values: readonly number[]): string;
  node(node: DraftNode): void;
  /** `Y = X W + B`, with weights `name.weight` [from, to] and a bias `name.bias` [to] of zeros. */
  dense(name: string, ends: { input: string; output: string }, size: DenseSize): void;
  finish(graph: {
    name: string;
    inputs: DraftPort[];
    outputs: DraftPort[];
  }): Uint8Array<ArrayBuffer>;
}

interface DenseSize {
  readonly from: number;
  readonly to: number;
  readonly bound: number;
}

export function createModelDraft(seed: number): ModelDraft {
  const random = seededRandom(seed);
  const nodes: NodeProto[] = [];
  const initialisers: TensorProto[] = [];
  const parameter = (name: string, shape: readonly number[], next: Random): string => {
    const data = Float32Array.from({ length: shapeSize(shape) }, next);
    initialisers.push(floatTensor(name, shape, { type, data }));
    return name;
  };
  const draft: ModelDraft = {
    weight: (name, shape, bound) => parameter(name, shape, () => (2 * random() - 1) * bound),
    zeros: (name, shape) => parameter(name, shape, () => 0),
    ints(name, values) {
      initialisers.push(int64Tensor(name, [values.length], values));
      return name;
    },
    node({ operator, inputs, outputs, attributes = {} }) {
      nodes.push(
        NodeProto.create({
          name: outputs.find((output) => output !== ''),
          opType: operator,
          input: [...inputs],
          output: [...outputs],
          attribute: attributesToProto(attributes),
        }),
      );
    },
    dense(name, { input, output }, { from, to, bound }) {
      const weight = draft.weight(`${name}.weight`, [from, to], bound);
      const bias = draft.zeros(`${name}.bias`, [to]);
      draft.node({ operator: 'Gemm', inputs: [input, weight, bias], outputs: [output] });
    },
    finish({ name, inputs, outputs }) {
      const graph = GraphProto.create({
        name,
        node: nodes,
        initializer: initialisers,
        input: inputs.map((port) => portToValueInfo({ ...port, type })),
        output: outputs.map((port) => portToValueInfo({ ...port, type })),
      });
      const opsetImport = [{ domain: '', version: OPSET }];
      return encodeModel(
        ModelProto.create({ irVersion: IR_VERSION, opsetImport, producerName: 'diten', graph }),
      );
    },
  };
  return draft;
}

/** The bound of uniform weights before a Relu: He et al. (arXiv 1502.01852, eq. 10). */
export function heBound(inputs: number): number {
  return Math.sqrt(6 / inputs);
}

/** The bound of uniform weights elsewhere: Glorot & Bengio (AISTATS 2010, eq. 16). */
export function glorotBound(inputs: number, outputs: number): number {
  return Math.sqrt(6 / (inputs + outputs));
}
