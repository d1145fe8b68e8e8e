import type { GraphBuilder } from '../graph-builder.ts';
import { addScan } from './add-scan.ts';
import { delayed, type Recurrence } from './recurrence.ts';

export interface BackwardLoop<Factor extends string> {
  /** [T, B, H] each: what the steps multiply gradients with. */
  readonly factors: Readonly<Record<Factor, string>>;
  /** [B, H], the gradient of the loss by the cell after the last time, where there are cells. */
  readonly dLastCell?: string;
  /** How many columns the matrices have that a step makes. */
  readonly widths: readonly number[];
  /** Adds one step, from the gradients of the loss by the state and the cell of a time. */
  body(
    step: GraphBuilder,
    given: { readonly dState: string; readonly dCell: string | undefined },
    factors: Readonly<Record<Factor, string>>,
  ): BackwardStep;
}

interface BackwardStep {
  /** The state of the time before gets `dSums` [B, k] times `weight` [k, H] ... */
  readonly dSums: string;
  readonly weight: string;
  /** ... and this, [B, H]. */
  readonly straight?: string;
  readonly dCellBefore?: string;
  readonly made: readonly string[];
}

/** A loop back through time, and the gradients of the loss at its beginning. */
export function goBack<Factor extends string>(
  layer: Recurrence,
  loop: BackwardLoop<Factor>,
): {
  /** [B, H] */
  readonly dInitial: string;
  readonly dInitialCell: string | undefined;
  /** [T B, width] each. */
  readonly made: readonly string[];
} {
  const { graph, units, isReversed, name } = layer;
  const names = Object.keys(loop.factors) as Factor[];
  const shape = [null, units];
  const { last, earlier } = arriving(layer);
  const sequences = [...names.map((factor) => loop.factors[factor]), ...earlier];
  const { dLastCell } = loop;
  const { states, items } = addScan(graph, {
    name: `${name}/back`,
    isReversed: !isReversed,
    states: [last, ...(dLastCell === undefined ? [] : [dLastCell])].map((value) => ({
      value,
      shape,
    })),
    sequences: sequences.map((value) => ({ value, shape })),
    made: loop.widths.map((width) => [null, width]),
    body(step, { states: [dState, dCell], items: given }) {
      const factors = Object.fromEntries(names.map((factor, at) => [factor, given[at]!]));
      const made = loop.body(step, { dState: dState!, dCell }, factors as Record<Factor, string>);
      const { dSums, weight, straight, dCellBefore } = made;
      const added = [...(straight === undefined ? [] : [straight]), ...given.slice(names.length)];
      const sum = added.length < 2 ? added : [step.node('Add', added)];
      const dBefore = step.node('Gemm', [dSums, weight, ...sum]);
      return {
        states: [dBefore, ...(dCellBefore === undefined ? [] : [dCellBefore])],
        items: made.made,
      };
    },
  });
  return {
    dInitial: states[0]!,
    dInitialCell: states[1],
    made: items.map((item) => graph.node('Flatten', [item], { axis: { int: 2 } })),
  };
}

/**
 * The gradient of the loss by the states, but for what later times add: by the last state, [B, H],
 * and at each time by the state before it, [T, B, H], which is left out where it is zero.
 */
function arriving({ graph, dStates, dLast, isReversed }: Recurrence): {
  readonly last: string;
  readonly earlier: readonly string[];
} {
  if (dStates === undefined) return { last: dLast, earlier: [] };
  const end = graph.node('Gather', [dStates, graph.ints([isReversed ? 0 : -1])]);
  return {
    last: graph.node('Add', [graph.node('Squeeze', [end, graph.ints([0])]), dLast]),
    earlier: [delayed(graph, dStates, { isReversed })],
  };
}
