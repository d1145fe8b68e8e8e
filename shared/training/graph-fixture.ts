import { planToGraph } from './emit-graph.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { encodeModel, ModelProto } from './model/onnx-proto.ts';
import type { Port } from './model/shape.ts';

/** What a builder has collected, as a model for tests. */
export function builtModel(
  graph: GraphBuilder,
  ports: { readonly inputs: readonly Port[]; readonly outputs: readonly Port[] },
): Uint8Array<ArrayBuffer> {
  const plan = planToGraph({ name: 'fixture', ...graph.finish(), ...ports });
  const opsetImport = [{ domain: '', version: 16 }];
  return encodeModel(ModelProto.create({ irVersion: 8, opsetImport, graph: plan }));
}
