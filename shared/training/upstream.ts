import { intAttribute } from './model/attributes.ts';
import type { NodeProto } from './model/onnx-proto.ts';
import { type FloatType, isFloatType } from './model/onnx-tensor.ts';
import { nodeReads, type SourceGraph } from './model/source-graph.ts';

/** What is known of a value that changes smoothly with parameters. */
export interface Upstream {
  /** The parameters it depends on. */
  readonly parameters: ReadonlySet<string>;
  /** Of its elements; `undefined` where it is a float type that nothing here is made in. */
  readonly type: FloatType | undefined;
}

/**
 * For each value that small changes of parameters change, which ones; other values are left out.
 * So is what takes its values from a comparison, a place or a rounding: steps do not train.
 */
export function parametersUpstream(
  source: SourceGraph,
  { parameters, type }: { parameters: readonly string[]; type: FloatType },
): Map<string, Upstream> {
  const upstream = new Map<string, Upstream>(
    parameters.map((name) => [name, { parameters: new Set([name]), type }]),
  );
  const typeOf = (name: string): number | undefined =>
    upstream.get(name)?.type ??
    source.initialisers.get(name)?.dataType ??
    source.inputs.find((port) => port.name === name)?.type;
  for (const node of source.nodes) {
    const found = nodeReads(node).flatMap((name) => upstream.get(name) ?? []);
    if (found.length === 0) continue;
    const value = {
      parameters: new Set(found.flatMap((input) => [...input.parameters])),
      type: madeType(node, { found: found[0]!.type, typeOf }),
    };
    node.output.forEach((name, index) => {
      if (name !== '' && !isDiscrete(node, index)) upstream.set(name, value);
    });
  }
  return upstream;
}

function madeType(
  node: NodeProto,
  { found, typeOf }: { found: FloatType | undefined; typeOf: (name: string) => number | undefined },
): FloatType | undefined {
  if (node.opType !== 'Cast' && node.opType !== 'CastLike') return found;
  const like = node.opType === 'CastLike' ? typeOf(node.input[1] ?? '') : undefined;
  const type = like ?? intAttribute(node, 'to', found ?? 0);
  return isFloatType(type) ? type : undefined;
}

const discreteOperators = new Set([
  ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Not', 'And', 'Or', 'Xor'],
  ...['IsInf', 'IsNaN', 'ArgMax', 'ArgMin', 'NonZero', 'Shape', 'Size', 'EyeLike'],
  ...['Ceil', 'Floor', 'Round', 'Sign'],
  ...['ConstantOfShape', 'RandomNormalLike', 'RandomUniformLike', 'Bernoulli', 'Multinomial'],
]);

/** Their second output is a place or a mask. */
const operatorsWithPlaces = new Set(['TopK', 'MaxPool', 'Dropout']);

/** FLOAT, FLOAT16, DOUBLE, BFLOAT16 of TensorProto.DataType. */
const floatTypes: readonly number[] = [1, 10, 11, 16];

/** Whether output `index` does not change with small changes of the inputs. */
function isDiscrete(node: NodeProto, index: number): boolean {
  if (node.opType === 'Cast') return !floatTypes.includes(intAttribute(node, 'to', 0));
  return discreteOperators.has(node.opType) || (index > 0 && operatorsWithPlaces.has(node.opType));
}
