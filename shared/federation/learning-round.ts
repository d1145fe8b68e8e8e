import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import type { NamedTensor } from '../codec/tensor.ts';
import type { Digest } from '../identity/digest.ts';

export interface RoundRules {
  /** Updates without which a round has no result. */
  readonly quorum: number;
  /** How long after its announcement a round takes updates. */
  readonly deadlineMs: number;
  /** From the end of one round to the start of the next. */
  readonly intervalMs: number;
}

export interface RoundUpdate {
  readonly device: string;
  readonly round: number;
  /** Digest of the model version the device started from. */
  readonly base: Digest;
  readonly sampleCount: number;
  /** Mean loss over the device's local steps. */
  readonly loss: number;
  /** Digest of `parameters`, as encoded on the wire. */
  readonly digest: Digest;
  readonly parameters: readonly NamedTensor[];
}

/**
 * One learning task's rounds. `gathering`: waiting for a quorum of devices; `training`: devices
 * learn until all have answered or the deadline; `aggregating`: the result is being committed.
 */
export type LearningState = {
  /** The round in progress, or the next one. */
  readonly round: number;
  readonly base: Digest;
} & (
  | { readonly phase: 'gathering'; readonly notBeforeMs: number }
  | {
      readonly phase: 'training';
      readonly participants: readonly string[];
      readonly deadlineMs: number;
      readonly updates: readonly RoundUpdate[];
    }
  | { readonly phase: 'aggregating'; readonly updates: readonly RoundUpdate[] }
);

export type LearningInput =
  | { readonly kind: 'tick'; readonly nowMs: number; readonly eligible: readonly string[] }
  | { readonly kind: 'update'; readonly update: RoundUpdate }
  | { readonly kind: 'committed'; readonly nowMs: number; readonly digest: Digest }
  | { readonly kind: 'aggregation-failed'; readonly nowMs: number };

export type LearningEffect =
  | {
      readonly kind: 'announce';
      readonly round: number;
      readonly base: Digest;
      readonly participants: readonly string[];
    }
  | {
      readonly kind: 'aggregate';
      readonly round: number;
      readonly base: Digest;
      readonly updates: readonly RoundUpdate[];
    }
  | { readonly kind: 'abandon'; readonly round: number; readonly received: number };

export type LearningRejection = Failure<
  'stale-round' | 'stale-base' | 'not-a-participant' | 'duplicate-update' | 'no-round-open'
>;

export interface LearningStep {
  readonly state: LearningState;
  readonly effects: readonly LearningEffect[];
}

/** Before the first round of a task, or after a restart: `round` is the next to be held. */
export function gatheringState(round: number, base: Digest, notBeforeMs: number): LearningState {
  return { phase: 'gathering', round, base, notBeforeMs };
}

/** Advances the rounds of one task by one input; an update that does not fit is rejected. */
export function stepLearning(
  rules: RoundRules,
  state: LearningState,
  input: LearningInput,
): Result<LearningStep, LearningRejection> {
  switch (input.kind) {
    case 'tick':
      return ok(tick(rules, state, input));
    case 'update':
      return takeUpdate(state, input.update);
    case 'committed': {
      const notBeforeMs = input.nowMs + rules.intervalMs;
      return ok({ state: gatheringState(state.round + 1, input.digest, notBeforeMs), effects: [] });
    }
    case 'aggregation-failed':
      return ok(abandon(rules, state, { nowMs: input.nowMs, received: 0 }));
  }
}

function tick(
  rules: RoundRules,
  state: LearningState,
  { nowMs, eligible }: { nowMs: number; eligible: readonly string[] },
): LearningStep {
  if (state.phase === 'gathering') {
    if (nowMs < state.notBeforeMs || eligible.length < rules.quorum) return { state, effects: [] };
    const { round, base } = state;
    const participants = [...eligible].sort();
    const deadlineMs = nowMs + rules.deadlineMs;
    return {
      state: { phase: 'training', round, base, participants, deadlineMs, updates: [] },
      effects: [{ kind: 'announce', round, base, participants }],
    };
  }
  if (state.phase === 'training' && nowMs >= state.deadlineMs) {
    return state.updates.length >= rules.quorum
      ? aggregate(state)
      : abandon(rules, state, { nowMs, received: state.updates.length });
  }
  return { state, effects: [] };
}

function takeUpdate(
  state: LearningState,
  update: RoundUpdate,
): Result<LearningStep, LearningRejection> {
  const { device } = update;
  if (update.round !== state.round) {
    return fail('stale-round', `${device} answered round ${update.round}, now is ${state.round}`);
  }
  if (state.phase !== 'training') return fail('no-round-open', `round ${state.round} is not open`);
  if (update.base !== state.base) {
    return fail('stale-base', `${device} started from another model version than announced`);
  }
  if (!state.participants.includes(device)) {
    return fail('not-a-participant', `${device} was not asked to take part`);
  }
  if (state.updates.some((other) => other.device === device)) {
    return fail('duplicate-update', `${device} has answered round ${state.round} already`);
  }
  const next = { ...state, updates: [...state.updates, update] };
  const complete = next.updates.length === state.participants.length;
  return ok(complete ? aggregate(next) : { state: next, effects: [] });
}

function aggregate({
  round,
  base,
  updates,
}: {
  round: number;
  base: Digest;
  updates: readonly RoundUpdate[];
}): LearningStep {
  return {
    state: { phase: 'aggregating', round, base, updates },
    effects: [{ kind: 'aggregate', round, base, updates }],
  };
}

function abandon(
  rules: RoundRules,
  { round, base }: LearningState,
  { nowMs, received }: { nowMs: number; received: number },
): LearningStep {
  return {
    state: gatheringState(round, base, nowMs + rules.intervalMs),
    effects: [{ kind: 'abandon', round, received }],
  };
}
