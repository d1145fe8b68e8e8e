import type { HeightEffect, HeightInput, HeightState } from '#shared/ledger/consensus/height.ts';
import { stepHeight } from '#shared/ledger/consensus/step-height.ts';
import { decodeInput } from './stored-input.ts';

/** A height as the inputs in the write-ahead log leave it, and all effects that they ever had. */
export function replayHeight(
  before: HeightState,
  inputs: readonly Uint8Array[],
  recall: (input: HeightInput) => void,
): { readonly state: HeightState; readonly effects: readonly HeightEffect[] } {
  let state = before;
  const effects: HeightEffect[] = [];
  for (const bytes of inputs) {
    const input = decodeInput(bytes);
    recall(input);
    const next = stepHeight(state, input);
    state = next.state;
    effects.push(...next.effects);
  }
  return { state, effects };
}
