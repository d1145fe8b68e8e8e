import { RESERVED_PREFIX } from './model/source-graph.ts';

/**
 * The names of what enters and leaves the training graphs, beside the model's own: parameters and
 * model inputs keep the names they have in the model.
 */
export const portNames = {
  /** What the trained output should be: of its type and shape, or int64 class ids. */
  target: `${RESERVED_PREFIX}target`,
  /**
   * Float [B], how much each example counts, adding up to 1: `1 / B` for a full batch; 0 for the
   * rows that fill up a partial one.
   */
  weights: `${RESERVED_PREFIX}weights`,
  /** Float scalar, the learning rate. */
  rate: `${RESERVED_PREFIX}rate`,
  /** Float scalar. */
  loss: `${RESERVED_PREFIX}loss`,
  /** Float scalar, the loss's companion in the target's own terms. */
  metric: `${RESERVED_PREFIX}metric`,
  /** Int64 [M, B], the rows of the data in each minibatch; -1 fills up a partial one. */
  order: `${RESERVED_PREFIX}order`,
  /** Float [M], the learning rate of each step. */
  rates: `${RESERVED_PREFIX}rates`,
  /** Float [M], the loss of each minibatch before its step. */
  losses: `${RESERVED_PREFIX}losses`,
  /** Float scalar, mu of the proximal term. */
  proximal: `${RESERVED_PREFIX}proximal`,
} as const;

/** d loss / d parameter, of the parameter's shape. */
export function gradientName(parameter: string): string {
  return `${RESERVED_PREFIX}gradient/${parameter}`;
}

/** What the proximal term draws a parameter to. */
export function anchorName(parameter: string): string {
  return `${RESERVED_PREFIX}anchor/${parameter}`;
}

/** What is added to a parameter's gradient in every step. */
export function correctionName(parameter: string): string {
  return `${RESERVED_PREFIX}correction/${parameter}`;
}

/** What is added to a parameter's gradient in one step. */
export function noiseName(parameter: string): string {
  return `${RESERVED_PREFIX}noise/${parameter}`;
}

/** The noise of all steps as it enters `epoch`: [M, ...]. */
export function noisesName(parameter: string): string {
  return `${RESERVED_PREFIX}noises/${parameter}`;
}

/** What an optimiser remembers of a parameter (or, without one, of the run). */
export function slotName(slot: string, parameter?: string): string {
  return RESERVED_PREFIX + (parameter === undefined ? slot : `${slot}/${parameter}`);
}

/** A parameter or slot after one step. */
export function nextName(state: string): string {
  return `${RESERVED_PREFIX}next/${state}`;
}

/** A parameter or slot as it enters `epoch`. */
export function initialName(state: string): string {
  return `${RESERVED_PREFIX}initial/${state}`;
}

/** A parameter or slot as it leaves `epoch`. */
export function finalName(state: string): string {
  return `${RESERVED_PREFIX}final/${state}`;
}

/** All examples of a model input, or of the target, as they enter `epoch`: [N, ...]. */
export function dataName(port: string): string {
  return `${RESERVED_PREFIX}data/${port}`;
}
