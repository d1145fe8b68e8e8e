import type { DrawOperator, OperatorDraw } from './draw-elementwise.ts';
import type { GraphDraft, Value } from './graph-draft.ts';

/** [T, B, I] that is no batch: a value there is, or a new one. */
function sequence(draft: GraphDraft): Value {
  const found = draft.pick(({ shape, isBatched }) => shape.length === 3 && !isBatched);
  return found ?? draft.parameter([draft.int(1, 3), 2, draft.int(1, 2)]);
}

function drawRecurrent(operator: 'LSTM' | 'GRU' | 'RNN'): DrawOperator {
  return (draft) => {
    const value = sequence(draft);
    const [time, batch, features] = value.shape as [number, number, number];
    const direction = draft.oneOf(['forward', 'reverse', 'bidirectional']);
    const directions = direction === 'bidirectional' ? 2 : 1;
    const units = draft.int(1, 2);
    const rows = { LSTM: 4, GRU: 3, RNN: 1 }[operator] * units;
    const state = [directions, batch, units];
    const hasStart = draft.isLucky(0.5);
    const operands = [
      draft.parameter([directions, rows, features]),
      draft.parameter([directions, rows, units]),
      draft.isLucky(0.7) ? draft.parameter([directions, 2 * rows]) : '',
      ...(hasStart ? ['', draft.parameter(state)] : []),
      ...(hasStart && operator === 'LSTM' ? [draft.parameter(state)] : []),
    ];
    const states = operator === 'LSTM' ? [state, state] : [state];
    return draft.nodeOfMany(operator, [value, ...operands], {
      outputs: [[time, ...state], ...states].map((shape) => ({ shape, isBatched: false })),
      attributes: {
        hidden_size: { int: units },
        direction: { string: direction },
        ...(operator === 'GRU' && { linear_before_reset: { int: draft.int(0, 1) } }),
      },
    });
  };
}

/** [B, heads, T, size] each. */
const drawAttention: DrawOperator = (draft) => {
  const [batch, heads, time, size] = [2, draft.int(1, 2), draft.int(1, 3), draft.int(1, 2)];
  const query = draft.parameter([batch, heads, time, size]);
  const key = draft.parameter([batch, heads, 3, size]);
  const value = draft.parameter([batch, heads, 3, 2]);
  const attributes = { is_causal: { int: draft.int(0, 1) } };
  const made = { shape: [batch, heads, time, 2], isBatched: false, attributes };
  return [draft.node('Attention', [query, key, value], made)];
};

/** Operators on sequences; the runtime has them for float32 only. */
export const sequenceDraws: readonly OperatorDraw[] = [
  ...(['LSTM', 'GRU', 'RNN'] as const).map((operator) => ({
    operator,
    draw: drawRecurrent(operator),
    isFloat32Only: true,
  })),
  { operator: 'Attention', draw: drawAttention, since: 23, isFloat32Only: true },
];
