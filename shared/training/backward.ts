import { assert } from '../basics/assert.ts';
import { ok, type Result } from '../basics/result.ts';
import { type GraphBuilder, withFloatType } from './graph-builder.ts';
import { constantNodeValue } from './model/constant-node.ts';
import type { NodeProto, TensorProto } from './model/onnx-proto.ts';
import type { Shapes } from './model/shape.ts';
import { nodeReads, normalDomain, operatorSet, type SourceGraph } from './model/source-graph.ts';
import type { InputGradients, Rule, RuleContext } from './rules/rule.ts';
import { findRule } from './rules/rule-table.ts';
import { type NodeFacts, refuse, type TrainingFailure } from './training-failure.ts';
import { parametersUpstream, type Upstream } from './upstream.ts';

export interface BackwardRequest {
  readonly source: SourceGraph;
  readonly shapes: Shapes;
  /** The values whose gradients are wanted. */
  readonly parameters: readonly string[];
  /** The value the loss is taken of, and the gradient of the loss by it. */
  readonly output: { readonly name: string; readonly gradient: string };
}

/**
 * Walks the model's nodes from last to first (reverse-mode differentiation) and adds the gradient
 * nodes to `graph`. A value nobody's gradient reaches gets none, one used twice gets the sum.
 * Returns the gradients by parameter; parameters that the output does not depend on are left out.
 *
 * Errors: `unsupported-operator`, `shape-unknown`.
 */
export function addBackwardPass(
  graph: GraphBuilder,
  { source, shapes, parameters, output }: BackwardRequest,
): Result<Map<string, string>, TrainingFailure> {
  const upstream = parametersUpstream(source, { parameters, type: graph.floatType });
  const constants = constantValues(source);
  const gradients = new Map([[output.name, output.gradient]]);
  const add = (value: string, gradient: string): void => {
    const sum = gradients.get(value);
    gradients.set(value, sum === undefined ? gradient : graph.node('Add', [sum, gradient]));
  };

  for (const node of source.nodes.toReversed()) {
    const reached = node.output.some((name) => gradients.has(name));
    const reads = nodeReads(node).flatMap((name) => [...(upstream.get(name)?.parameters ?? [])]);
    const blamed = [...new Set(reads)];
    if (!reached || blamed.length === 0) continue;
    const facts = nodeFacts(node, source);
    const rule = findRule(node, facts.opset);
    if (rule === undefined) return unsupported(facts, blamed);
    const unknown = rule.shapes?.(node).find((value) => !shapes.has(value));
    if (unknown !== undefined) {
      return refuse(
        'shape-unknown',
        `the gradient of ${describe(facts)} needs the shape of ${unknown}, which the model does ` +
          'not state; learn the shapes with a probe run first',
        facts,
      );
    }
    const walk = { graph, node, opset: facts.opset, shapes, upstream, constants };
    const context = ruleContext(rule, walk);
    const detail = rule.refuses?.(context);
    if (detail !== undefined) return unsupported(facts, blamed, detail);
    const dYs = node.output.map((name) => gradients.get(name));
    if (!('gradientsOfMany' in rule) && dYs.findLastIndex((dY) => dY !== undefined) > 0) {
      return unsupported(facts, blamed);
    }
    applyRule(rule, context, dYs).forEach((gradient, index) => {
      const input = node.input[index]!;
      if (gradient !== undefined && upstream.has(input)) add(input, gradient);
    });
  }
  const reached = parameters.filter((name) => gradients.has(name));
  return ok(new Map(reached.map((name) => [name, gradients.get(name)!])));
}

interface Walk {
  readonly graph: GraphBuilder;
  readonly node: NodeProto;
  readonly opset: number;
  readonly shapes: Shapes;
  readonly upstream: ReadonlyMap<string, Upstream>;
  readonly constants: ReadonlyMap<string, TensorProto>;
}

function ruleContext(rule: Rule, walk: Walk): RuleContext {
  const { graph, node, opset, shapes, upstream, constants } = walk;
  const type = upstream.get(node.output.find((name) => upstream.has(name)) ?? '')?.type;
  return {
    graph: withFloatType(graph, type ?? graph.floatType),
    node,
    opset,
    wants: (index) => upstream.has(node.input[index] ?? ''),
    shapeOf(value) {
      const shape = shapes.get(value);
      assert(shape !== undefined, `the rule for ${rule.operator} lists the shapes it asks for`);
      return shape;
    },
    knownShapeOf: (value) => shapes.get(value),
    constantOf: (value) => constants.get(value),
  };
}

function applyRule(
  rule: Rule,
  context: RuleContext,
  dYs: readonly (string | undefined)[],
): InputGradients {
  if ('gradientsOfMany' in rule) return rule.gradientsOfMany(context, dYs);
  const dY = dYs[0];
  assert(dY !== undefined, 'some output of the operator has a gradient');
  return rule.gradients(context, dY);
}

/** The values that the model fixes, by name. */
function constantValues({ nodes, initialisers }: SourceGraph): Map<string, TensorProto> {
  const constants = new Map(initialisers);
  for (const node of nodes) {
    const value = node.opType === 'Constant' ? constantNodeValue(node) : undefined;
    if (value !== undefined) constants.set(node.output[0]!, value);
  }
  return constants;
}

export function nodeFacts(node: NodeProto, source: SourceGraph): NodeFacts {
  const domain = normalDomain(node.domain);
  const opset = operatorSet(source.model, domain);
  return { name: node.name, operator: node.opType, domain, opset };
}

function describe({ name, operator, domain, opset }: NodeFacts): string {
  const label = name === '' ? 'an unnamed node' : `node ${name}`;
  return `${label} (${operator}, domain ${domain || 'ai.onnx'}, opset ${opset})`;
}

/** `detail` says what of a known operator is not supported. */
export function unsupported(
  facts: NodeFacts,
  blamed: readonly string[],
  detail?: string,
): Result<never, TrainingFailure> {
  const mend = mendOf(facts) ?? `export the model without ${detail ?? 'this operator'}`;
  const unknown = detail === undefined ? 'its gradient is' : `its gradient with ${detail} is`;
  return refuse(
    'unsupported-operator',
    `${describe(facts)} stands between ${listed(blamed)} and the loss, and ${unknown} not ` +
      `known; freeze ${blamed.length === 1 ? 'that parameter' : 'those parameters'}, or ${mend}`,
    facts,
  );
}

function mendOf({ operator }: NodeFacts): string | undefined {
  if (/quantize|^QLinear|Integer$/i.test(operator)) {
    return 'export the model with float weights, before quantisation';
  }
  if (/^(If|Loop|Scan|SequenceMap)$/.test(operator)) {
    return 'export the model with its loops unrolled and its conditions decided';
  }
  return undefined;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 4).join(', ');
  return names.length > 4 ? `${shown} and ${names.length - 4} more` : shown;
}
