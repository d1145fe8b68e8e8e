import type { GraphBuilder } from '../graph-builder.ts';
import type { NodeProto, TensorProto } from '../model/onnx-proto.ts';
import type { Shape } from '../model/shape.ts';

/** What a rule works with: one node of the model, and the graph its gradient goes to. */
export interface RuleContext {
  readonly node: NodeProto;
  readonly graph: GraphBuilder;
  /** Version of the operator's domain. */
  readonly opset: number;
  /** Whether the gradient of input `index` is of use; that of another one need not be made. */
  wants(index: number): boolean;
  /** The shape of a value that the rule listed in `shapes`. */
  shapeOf(value: string): Shape;
  /** The shape of any other value, where it is known. */
  knownShapeOf(value: string): Shape | undefined;
  /** What a value is where the model fixes it: an initialiser, or the output of a Constant. */
  constantOf(value: string): TensorProto | undefined;
}

/** One gradient per input, each of that input's shape; `undefined` where there is none. */
export type InputGradients = readonly (string | undefined)[];

interface OperatorRule {
  readonly operator: string;
  /** `''` is ONNX's own domain. */
  readonly domain: string;
  /** The operator sets the rule was checked for, both ends included. */
  readonly opsets: { readonly oldest: number; readonly newest: number };
  /** The values whose shapes the rule asks for; none unless given. */
  readonly shapes?: (node: NodeProto) => readonly string[];
  /** What of this node has no gradient here, such as `mode "cubic"`; the model is then refused. */
  readonly refuses?: (context: RuleContext) => string | undefined;
  /** How many of the outputs the gradient reads; the node makes them, needed otherwise or not. */
  readonly outputs?: number;
}

/** Of an operator of whose outputs only the first is differentiable. */
interface OneOutputRule extends OperatorRule {
  /** Adds the nodes that carry `dY`, the gradient of the loss by the output, to the inputs. */
  readonly gradients: (context: RuleContext, dY: string) => InputGradients;
}

/** Of an operator with several differentiable outputs. */
interface ManyOutputsRule extends OperatorRule {
  /** The same for all outputs; `undefined` for one that nothing depends on, but not for all. */
  readonly gradientsOfMany: (
    context: RuleContext,
    dYs: readonly (string | undefined)[],
  ) => InputGradients;
}

/** How the gradient of one operator is made. */
export type Rule = OneOutputRule | ManyOutputsRule;
