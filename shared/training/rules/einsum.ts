import { stringAttribute } from '../model/attributes.ts';
import type { NodeProto } from '../model/onnx-proto.ts';
import type { Shape } from '../model/shape.ts';
import { opsetRange } from '../model/source-graph.ts';
import type { InputGradients, Rule, RuleContext } from './rule.ts';

/**
 * Sums of products over named axes (ONNX Einsum). The gradient by one operand is the Einsum of the
 * output's gradient and the other operands, with the axes of that operand for output.
 */
export const einsumRules: readonly Rule[] = [
  {
    operator: 'Einsum',
    domain: '',
    opsets: opsetRange,
    shapes: ({ input, output }) => [...input, ...output],
    refuses: ({ node, shapeOf }) =>
      readEquation(node, shapeOf).operands.some((axes) => new Set(axes).size < axes.length)
        ? 'the diagonal of an operand (an axis named twice)'
        : undefined,
    gradients: einsumGradients,
  },
];

/** One letter per axis. */
interface Equation {
  readonly operands: readonly (readonly string[])[];
  readonly output: readonly string[];
}

function einsumGradients(context: RuleContext, dY: string): InputGradients {
  const { graph, node, wants, shapeOf } = context;
  const { operands, output } = readEquation(node, shapeOf);
  return node.input.map((value, index) => {
    if (!wants(index)) return undefined;
    const axes = operands[index]!;
    const shape = shapeOf(value);
    const others = operands.filter((_, other) => other !== index);
    const known = new Set([...output, ...others.flat()]);
    // An axis of size 1 may have been broadcast, one of this operand alone was summed over.
    const kept = axes.filter((letter, axis) => known.has(letter) && shape[axis] !== 1);
    const terms = [output, ...others].map((letters) => letters.join(''));
    const gradient = graph.node('Einsum', [dY, ...node.input.filter((_, i) => i !== index)], {
      equation: { string: `${terms.join(',')}->${kept.join('')}` },
    });
    const added = axes.flatMap((letter, axis) => (kept.includes(letter) ? [] : [axis]));
    if (added.length === 0) return gradient;
    const aligned = graph.node('Unsqueeze', [gradient, graph.ints(added)]);
    return added.every((axis) => shape[axis] === 1)
      ? aligned
      : graph.node('Expand', [aligned, graph.node('Shape', [value])]);
  });
}

/**
 * Reads an equation such as `bij, bjk -> bik`; `...` stands for the axes not named, as many in each
 * operand that has it. Without `->` the output has those axes, then the letters that occur once, in
 * alphabetical order.
 */
function readEquation(node: NodeProto, shapeOf: (value: string) => Shape): Equation {
  const text = stringAttribute(node, 'equation', '').replaceAll(/\s/g, '');
  const [left, right] = text.split('->') as [string, string | undefined];
  const terms = left.split(',');
  const unused = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'].filter(
    (letter) => !text.includes(letter),
  );
  const first = terms.findIndex((term) => term.includes('...'));
  const rank = first < 0 ? 0 : shapeOf(node.input[first]!).length - (terms[first]!.length - 3);
  const expand = (term: string) => [...term.replace('...', unused.slice(0, rank).join(''))];
  const operands = terms.map(expand);
  if (right !== undefined) return { operands, output: expand(right) };
  const named = [...left.replaceAll(/[.,]/g, '')];
  const once = named.filter((letter) => named.indexOf(letter) === named.lastIndexOf(letter));
  return { operands, output: expand(`...${once.sort().join('')}`) };
}
