import { ok, type Result } from '../../basics/result.ts';
import { refuse, type TrainingFailure } from '../training-failure.ts';
import { nodeSubgraphs, nodeTensors } from './attributes.ts';
import { decodeModel, encodeModel, type GraphProto, TensorProto } from './onnx-proto.ts';
import { isExternal } from './onnx-tensor.ts';

/** The bytes of the file at `location`, relative to the model's folder; `undefined`: not there. */
type ReadSideFile = (location: string) => Uint8Array | undefined;

/**
 * Puts tensors that lie in files beside a model into the model (ONNX, External Data: the keys
 * `location`, `offset` and `length`). A model without such tensors comes back as it is.
 *
 * Errors: `not-onnx`, `model-too-large`; `external-data` where a file is missing or too short, or
 * lies outside the model's folder.
 */
export function embedExternalData(
  modelBytes: Uint8Array,
  readFile: ReadSideFile,
): Result<Uint8Array, TrainingFailure> {
  const decoded = decodeModel(modelBytes);
  if (!decoded.ok) return decoded;
  const tensors = graphTensors(decoded.value.graph as GraphProto).filter(isExternal);
  for (const tensor of tensors) {
    const embedded = embed(tensor, readFile);
    if (!embedded.ok) return embedded;
  }
  return ok(tensors.length === 0 ? modelBytes : encodeModel(decoded.value));
}

function graphTensors(graph: GraphProto): TensorProto[] {
  const nodes = graph.node as Parameters<typeof nodeTensors>[0][];
  return [
    ...((graph.initializer ?? []) as TensorProto[]),
    ...nodes.flatMap(nodeTensors),
    ...nodes.flatMap(nodeSubgraphs).flatMap(graphTensors),
  ];
}

function embed(tensor: TensorProto, readFile: ReadSideFile): Result<undefined, TrainingFailure> {
  const entries = new Map((tensor.externalData ?? []).map(({ key, value }) => [key, value ?? '']));
  const location = entries.get('location') ?? '';
  const label = `the values of ${tensor.name || 'a constant'} lie in ${location || 'no file'}`;
  if (location === '' || /^[/\\]|^[a-z]:|(^|[/\\])\.\.([/\\]|$)/i.test(location)) {
    return refuse(
      'external-data',
      `${label}, which is not below the model's folder; save the model with all data inside`,
    );
  }
  const file = readFile(location);
  if (file === undefined) {
    return refuse('external-data', `${label}, which is missing; put it beside the model`);
  }
  const offset = Number(entries.get('offset') ?? 0);
  const length = Number(entries.get('length') ?? file.length - offset);
  if (!(offset >= 0 && length >= 0 && offset + length <= file.length)) {
    return refuse(
      'external-data',
      `${label} at ${offset} to ${offset + length}, which has ${file.length} bytes; copy it again`,
    );
  }
  tensor.rawData = file.slice(offset, offset + length);
  tensor.externalData = [];
  tensor.dataLocation = TensorProto.DataLocation.DEFAULT;
  return ok(undefined);
}
