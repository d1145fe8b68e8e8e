import { tensorValues } from '../model/tensor-file.ts';
import type { RuleContext } from './rule.ts';

/** The numbers of input `index`, where there is such an input and the model fixes it. */
export function constantInput(
  { node, constantOf }: RuleContext,
  index: number,
): number[] | undefined {
  const tensor = constantOf(node.input[index] ?? '');
  const values = tensor && tensorValues(tensor);
  return values?.ok ? Array.from(values.value.data, Number) : undefined;
}

/** Whether the node has input `index`; an optional one may be left out. */
export function hasInput({ node }: RuleContext, index: number): boolean {
  return (node.input[index] ?? '') !== '';
}
