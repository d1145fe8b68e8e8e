import assert from 'node:assert/strict';
import { decodeModel } from './model/onnx-proto.ts';

/** The operators of a model's nodes, in their order. */
export function nodeOperators(bytes: Uint8Array): string[] {
  const decoded = decodeModel(bytes);
  assert.ok(decoded.ok);
  return decoded.value.graph!.node!.map(({ opType }) => opType!);
}
