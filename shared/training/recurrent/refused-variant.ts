import {
  floatAttribute,
  intAttribute,
  stringAttribute,
  stringsAttribute,
} from '../model/attributes.ts';
import type { NodeProto, TensorProto } from '../model/onnx-proto.ts';
import type { RuleContext } from '../rules/rule.ts';
import { rnnSlopes } from './rnn.ts';

const defaultActivations: Readonly<Record<string, readonly string[]>> = {
  LSTM: ['sigmoid', 'tanh', 'tanh'],
  GRU: ['sigmoid', 'tanh'],
  RNN: ['tanh'],
};

/** The functions a layer is made with, those of the second direction after those of the first. */
export function activationsOf(node: NodeProto): string[] {
  const given = stringsAttribute(node, 'activations') ?? [];
  if (given.length > 0) return given.map((name) => name.toLowerCase());
  const count = stringAttribute(node, 'direction', 'forward') === 'bidirectional' ? 2 : 1;
  return Array.from({ length: count }, () => defaultActivations[node.opType]!).flat();
}

/** What of a recurrent layer has no gradient here. */
export function refusedVariant(context: RuleContext): string | undefined {
  const { node } = context;
  if (intAttribute(node, 'hidden_size', 0) === 0) return 'hidden_size left out';
  // The runtime refuses it, too.
  if (intAttribute(node, 'layout', 0) !== 0) return 'layout 1 (the batch before the time)';
  if (floatAttribute(node, 'clip', 0) !== 0) return 'clip';
  if (intAttribute(node, 'input_forget', 0) !== 0) return 'input_forget';
  if (node.input[7]) return 'peepholes';
  if (!hasFullLengths(context)) return 'sequence_lens that are not known to be the whole length';
  const activations = activationsOf(node);
  const usual = defaultActivations[node.opType]!;
  const isKnown = activations.every((name, at) =>
    node.opType === 'RNN' ? Object.hasOwn(rnnSlopes, name) : name === usual[at % usual.length],
  );
  return isKnown ? undefined : `activations ${activations.join(', ')}`;
}

function hasFullLengths({ node, shapeOf, constantOf }: RuleContext): boolean {
  const lengths = node.input[4];
  if (!lengths) return true;
  const [time] = shapeOf(node.input[0]!);
  const tensor = constantOf(lengths);
  return tensor !== undefined && int32Values(tensor).every((length) => length === time);
}

function int32Values({ rawData, int32Data }: TensorProto): number[] {
  if (!rawData?.length) return int32Data.map(Number);
  return [...new Int32Array(new Uint8Array(rawData).buffer)];
}
