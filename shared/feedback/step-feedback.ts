import type { JsonObject, JsonValue } from '../twin/document/json.ts';
import { valueAt } from '../twin/document/json-pointer.ts';
import { splitPath } from '../twin/document/thing.ts';
import { compileRql } from '../twin/query/compile-rql.ts';
import type { FeedbackRule, Threshold } from './feedback-rule.ts';

/** What a condition says of a twin; `undefined`: neither, so all stays as it is. */
type Signal = boolean | undefined;

/** A rule made ready to be asked. */
export interface CompiledRule {
  readonly rule: FeedbackRule;
  readonly signal: (document: JsonObject) => Signal;
}

interface Turning {
  readonly rule: string;
  readonly device: string;
  readonly to: boolean;
  readonly dueMs: number;
}

/**
 * Where each rule stands with each device. After a start all is open: the first that a condition
 * says is carried out either way, so that nothing stays on for having been on before.
 */
export interface FeedbackState {
  /** By rule and device: on or off. */
  readonly settled: ReadonlyMap<string, boolean>;
  /** Those whose condition says otherwise, but not for long enough yet. */
  readonly turning: ReadonlyMap<string, Turning>;
  /** By rule and target: what was set last. */
  readonly outputs: ReadonlyMap<string, boolean>;
}

export type FeedbackInput =
  | {
      readonly kind: 'changed';
      readonly nowMs: number;
      readonly device: string;
      readonly document: JsonObject;
    }
  | { readonly kind: 'gone'; readonly nowMs: number; readonly device: string }
  | { readonly kind: 'tick'; readonly nowMs: number };

export type FeedbackEffect =
  | {
      readonly kind: 'write-desired';
      readonly rule: string;
      readonly device: string;
      /** `feature/property`. */
      readonly path: string;
      readonly value: JsonValue;
    }
  /** A tick is wanted then. */
  | { readonly kind: 'wake'; readonly atMs: number };

export interface FeedbackStep {
  readonly state: FeedbackState;
  readonly effects: readonly FeedbackEffect[];
}

export const openFeedback: FeedbackState = {
  settled: new Map(),
  turning: new Map(),
  outputs: new Map(),
};

export function compileRules(rules: readonly FeedbackRule[]): readonly CompiledRule[] {
  return rules.map((rule) => ({ rule, signal: compileSignal(rule) }));
}

/**
 * Carries feedback rules out at the edges of their conditions: once when one has held for `holdMs`,
 * once when it has been over for `releaseMs`. A target that many devices share is on while the
 * condition holds of any.
 */
export function stepFeedback(
  rules: readonly CompiledRule[],
  state: FeedbackState,
  input: FeedbackInput,
): FeedbackStep {
  const draft = new Draft(state);
  const { nowMs } = input;
  for (const { rule, signal } of rules) {
    if (input.kind === 'tick') {
      draft.settleDue(rule, nowMs);
    } else if (rule.device === '*' || rule.device === input.device) {
      if (input.kind === 'gone') draft.forget(rule, input.device);
      else draft.take(rule, input.device, { signal: signal(input.document), nowMs });
    }
  }
  return draft.finish();
}

/** Copies of the state's maps, each made when it first changes. */
class Draft {
  #settled: FeedbackState['settled'];
  #turning: FeedbackState['turning'];
  #outputs: FeedbackState['outputs'];
  readonly #effects: FeedbackEffect[] = [];

  constructor({ settled, turning, outputs }: FeedbackState) {
    this.#settled = settled;
    this.#turning = turning;
    this.#outputs = outputs;
  }

  take(rule: FeedbackRule, device: string, now: { signal: Signal; nowMs: number }): void {
    const { signal, nowMs } = now;
    const key = keyOf(rule.name, device);
    const turning = this.#turning.get(key);
    if (signal === undefined || signal === this.#settled.get(key)) {
      if (turning !== undefined) this.#turning = without(this.#turning, key);
      return;
    }
    const waitMs = signal ? rule.holdMs : rule.releaseMs;
    const dueMs = turning?.to === signal ? turning.dueMs : nowMs + waitMs;
    if (dueMs <= nowMs) {
      this.#settle(rule, device, signal);
    } else if (turning?.to !== signal) {
      const next: Turning = { rule: rule.name, device, to: signal, dueMs };
      this.#turning = new Map(this.#turning).set(key, next);
      this.#effects.push({ kind: 'wake', atMs: dueMs });
    }
  }

  /** Switches what has waited long enough and was not contradicted. */
  settleDue(rule: FeedbackRule, nowMs: number): void {
    for (const { rule: name, device, to, dueMs } of this.#turning.values()) {
      if (name === rule.name && dueMs <= nowMs) this.#settle(rule, device, to);
    }
  }

  forget(rule: FeedbackRule, device: string): void {
    const key = keyOf(rule.name, device);
    if (this.#turning.has(key)) this.#turning = without(this.#turning, key);
    if (!this.#settled.has(key)) return;
    this.#settled = without(this.#settled, key);
    if (rule.set.device === undefined) {
      this.#outputs = without(this.#outputs, keyOf(rule.name, device));
    } else {
      this.#output(rule, rule.set.device, this.#isAnyOn(rule));
    }
  }

  finish(): FeedbackStep {
    const state = { settled: this.#settled, turning: this.#turning, outputs: this.#outputs };
    return { state, effects: this.#effects };
  }

  #settle(rule: FeedbackRule, device: string, to: boolean): void {
    const key = keyOf(rule.name, device);
    this.#settled = new Map(this.#settled).set(key, to);
    if (this.#turning.has(key)) this.#turning = without(this.#turning, key);
    const shared = rule.set.device !== undefined;
    this.#output(rule, rule.set.device ?? device, shared ? this.#isAnyOn(rule) : to);
  }

  #isAnyOn({ name }: FeedbackRule): boolean {
    const prefix = keyOf(name, '');
    for (const [key, on] of this.#settled) if (on && key.startsWith(prefix)) return true;
    return false;
  }

  #output(rule: FeedbackRule, device: string, on: boolean): void {
    const key = keyOf(rule.name, device);
    if (this.#outputs.get(key) === on) return;
    this.#outputs = new Map(this.#outputs).set(key, on);
    const { property: path, value, otherwise } = rule.set;
    const wanted = on ? value : otherwise;
    if (wanted === undefined) return;
    this.#effects.push({ kind: 'write-desired', rule: rule.name, device, path, value: wanted });
  }
}

/** Neither rules' nor devices' names have a slash. */
function keyOf(rule: string, device: string): string {
  return `${rule}/${device}`;
}

function without<T>(map: ReadonlyMap<string, T>, key: string): ReadonlyMap<string, T> {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}

function compileSignal({ when, until, threshold }: FeedbackRule): CompiledRule['signal'] {
  if (threshold !== undefined) return compileThreshold(threshold);
  const begins = compileRql(when!);
  if (until === undefined) return begins;
  const ends = compileRql(until);
  return (document) => (begins(document) ? true : ends(document) ? false : undefined);
}

function compileThreshold(threshold: Threshold): CompiledRule['signal'] {
  const { feature, property } = splitPath(threshold.property);
  const keys = ['features', feature, 'properties', property];
  const sign = threshold.above === undefined ? -1 : 1;
  const bound = sign * (threshold.above ?? threshold.below!);
  const clear = threshold.clear === undefined ? bound : sign * threshold.clear;
  return (document) => {
    const value = valueAt(document, keys);
    // A sensor that says nothing says neither.
    if (typeof value !== 'number') return undefined;
    if (sign * value > bound) return true;
    return sign * value <= clear ? false : undefined;
  };
}
