import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { FeedbackRule } from '#shared/feedback/feedback-rule.ts';
import {
  type CompiledRule,
  compileRules,
  type FeedbackEffect,
  type FeedbackInput,
  type FeedbackState,
  openFeedback,
  stepFeedback,
} from '#shared/feedback/step-feedback.ts';
import { formatPointer } from '#shared/twin/document/json-pointer.ts';
import { splitPath, thingDocument } from '#shared/twin/document/thing.ts';
import type { CommittedStep, TwinStore } from './twin-store.ts';

/** Until what could not be written, on a full disk for one, is tried again. */
const RETRY_MS = 1000;

type WriteDesired = Extract<FeedbackEffect, { kind: 'write-desired' }>;

export interface FeedbackHostOptions {
  readonly store: TwinStore;
  readonly rules: readonly FeedbackRule[];
  readonly clock: Clock;
  readonly events: Events;
}

/**
 * Carries feedback rules out on every committed change of a thing, in the same turn: what a rule
 * wants is written as a desired property, `rule:NAME` being who wrote it.
 */
export class FeedbackHost implements Disposable {
  readonly #options: FeedbackHostOptions;
  readonly #rules: readonly CompiledRule[];
  readonly #unlisten: () => void;
  #state: FeedbackState = openFeedback;
  #dueMs = Number.POSITIVE_INFINITY;
  #cancelTick: () => void = () => undefined;
  /** The newest of each property that is still to be written. */
  readonly #unwritten = new Map<string, WriteDesired>();
  #cancelRetry: () => void = () => undefined;

  constructor(options: FeedbackHostOptions) {
    this.#options = options;
    this.#rules = compileRules(options.rules);
    const { store, rules } = options;
    const listens = rules.length > 0;
    this.#unlisten = listens ? store.onCommit((step) => this.#onCommit(step)) : () => undefined;
  }

  [Symbol.dispose](): void {
    this.#unlisten();
    this.#cancelTick();
    this.#cancelRetry();
  }

  #onCommit({ device, thing, effects }: CommittedStep): void {
    if (!effects.some(({ kind }) => kind === 'notify')) return;
    const nowMs = this.#options.clock.nowMs();
    if (thing.exists) {
      this.#step({ kind: 'changed', nowMs, device, document: thingDocument(thing) });
    } else {
      this.#step({ kind: 'gone', nowMs, device });
    }
  }

  #step(input: FeedbackInput): void {
    const { state, effects } = stepFeedback(this.#rules, this.#state, input);
    this.#state = state;
    for (const effect of effects) {
      if (effect.kind === 'write-desired') this.#write(effect);
      else if (effect.atMs < this.#dueMs) this.#wakeAt(effect.atMs);
    }
  }

  #write(effect: WriteDesired): void {
    const { rule, device, path, value } = effect;
    const { store, clock, events } = this.#options;
    this.#unwritten.delete(`${device}/${path}`);
    const { feature, property } = splitPath(path);
    const pointer = formatPointer(['features', feature, 'desiredProperties', property]);
    const edit = { op: 'put', path: pointer, value } as const;
    const input = { kind: 'edited', nowMs: clock.nowMs(), by: `rule:${rule}`, edit } as const;
    try {
      const written = store.change(device, input);
      if (written.ok) events.record('info', 'feedback-written', { rule, device, path, value });
      else events.record('warn', 'feedback-refused', { rule, device, ...written.error });
    } catch (error) {
      events.record('error', 'commit-failed', { rule, device, reason: (error as Error).message });
      this.#unwritten.set(`${device}/${path}`, effect);
      this.#cancelRetry();
      this.#cancelRetry = clock.after(RETRY_MS, () => {
        for (const unwritten of [...this.#unwritten.values()]) this.#write(unwritten);
      });
    }
  }

  #wakeAt(atMs: number): void {
    const { clock } = this.#options;
    this.#cancelTick();
    this.#dueMs = atMs;
    this.#cancelTick = clock.after(Math.max(0, atMs - clock.nowMs()), () => {
      this.#dueMs = Number.POSITIVE_INFINITY;
      this.#step({ kind: 'tick', nowMs: Math.max(atMs, clock.nowMs()) });
      const next = Math.min(...[...this.#state.turning.values()].map(({ dueMs }) => dueMs));
      if (Number.isFinite(next)) this.#wakeAt(next);
    });
  }
}
