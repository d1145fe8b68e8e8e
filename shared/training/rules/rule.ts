import type { GraphBuilder } from '../graph-builder.ts';
import type { NodeProto } from '../model/onnx-proto.ts';
import type { Shape } from '../model/shape.ts';

/** What a rule works with: one node of the model, and the graph its gradient goes to. */
export interface RuleContext {
  readonly node: NodeProto;
  readonly graph: GraphBuilder;
  /** Whether the gradient of input `index` is of use; that of another one need not be made. */
  wants(index: number): boolean;
  /** The shape of a value that the rule listed in `shapes`. */
  shapeOf(value: string): Shape;
}

/** How the gradient of one operator is made. */
export interface Rule {
  readonly operator: string;
  /** `''` is ONNX's own domain. */
  readonly domain: string;
  /** The operator sets the rule was checked for, both ends included. */
  readonly opsets: { readonly oldest: number; readonly newest: number };
  /** The values whose shapes the rule asks for; none unless given. */
  readonly shapes?: (node: NodeProto) => readonly string[];
  /**
   * Adds the nodes that carry `dY`, the gradient of the loss by the node's output, to its inputs.
   * Returns one gradient per input, each of that input's shape; `undefined` where there is none.
   */
  readonly gradients: (context: RuleContext, dY: string) => readonly (string | undefined)[];
}
