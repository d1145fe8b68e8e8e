import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JsonValue } from '../twin/document/json.ts';
import { feedbackRulesSchema } from './feedback-rule.ts';
import {
  compileRules,
  type FeedbackInput,
  type FeedbackState,
  openFeedback,
  stepFeedback,
} from './step-feedback.ts';

const set = { property: 'warning/on', value: true, otherwise: false };
const threshold = { property: 'env/temperature', above: 30, clear: 28 };

function rulesOf(...rules: object[]) {
  return compileRules(feedbackRulesSchema.parse(rules));
}

function reads(nowMs: number, value: JsonValue, device = 'mote-1'): FeedbackInput {
  const document = { features: { env: { properties: { temperature: value } } } };
  return { kind: 'changed', nowMs, device, document };
}

function tick(nowMs: number): FeedbackInput {
  return { kind: 'tick', nowMs };
}

/** What is written at which input's time; and when a tick is wanted. */
function run(rules: ReturnType<typeof rulesOf>, ...inputs: FeedbackInput[]) {
  let state: FeedbackState = openFeedback;
  const written: unknown[] = [];
  const wakes: number[] = [];
  for (const input of inputs) {
    const step = stepFeedback(rules, state, input);
    state = step.state;
    for (const effect of step.effects) {
      if (effect.kind === 'wake') wakes.push(effect.atMs);
      else written.push([input.nowMs, effect.device, effect.value]);
    }
  }
  return { written, wakes, state };
}

describe('feedback', () => {
  it('writes once at each edge, with hysteresis', () => {
    const rules = rulesOf({ name: 'hot', threshold, releaseMs: 0, set });
    const values = [29, 31, 35, 29, 31, 28, 20, 29, 30, 30.1];
    const { written } = run(rules, ...values.map((value, index) => reads(index, value)));
    assert.deepEqual(written, [
      [1, 'mote-1', true],
      [5, 'mote-1', false],
      [9, 'mote-1', true],
    ]);
  });

  it('names rule and path', () => {
    const rules = rulesOf({ name: 'hot', threshold, set });
    const { effects } = stepFeedback(rules, openFeedback, reads(0, 40));
    assert.deepEqual(effects, [
      { kind: 'write-desired', rule: 'hot', device: 'mote-1', path: 'warning/on', value: true },
    ]);
  });

  it('works below a bound as above', () => {
    const cold = { property: 'env/temperature', below: 5, clear: 7 };
    const rules = rulesOf({ name: 'cold', threshold: cold, releaseMs: 0, set });
    const { written } = run(rules, ...[5, 4.9, 6, 7].map((value, index) => reads(index, value)));
    assert.deepEqual(written, [
      [1, 'mote-1', true],
      [3, 'mote-1', false],
    ]);
  });

  it('waits until the condition has held, with ticks or readings', () => {
    const rules = rulesOf({ name: 'hot', threshold, holdMs: 100, releaseMs: 50, set });
    const ticked = run(rules, reads(0, 31), tick(99), tick(100), reads(120, 20), tick(170));
    assert.deepEqual(ticked.written, [
      [100, 'mote-1', true],
      [170, 'mote-1', false],
    ]);
    assert.deepEqual(ticked.wakes, [100, 170]);
    const read = run(rules, reads(0, 31), reads(60, 32), reads(110, 33));
    assert.deepEqual(read.written, [[110, 'mote-1', true]]);
    const broken = run(rules, reads(0, 31), reads(60, 29), reads(70, 31), tick(120), tick(170));
    assert.deepEqual(broken.written, [[170, 'mote-1', true]]);
  });

  it('leaves all as it is while a sensor says nothing', () => {
    const rules = rulesOf({ name: 'hot', threshold, releaseMs: 0, set });
    const gap = { kind: 'changed', nowMs: 3, device: 'mote-1', document: {} } as const;
    const { written } = run(rules, reads(0, 31), reads(1, null), reads(2, 'x'), gap);
    assert.deepEqual(written, [[0, 'mote-1', true]]);
  });

  it('goes by RQL, with an end of its own', () => {
    const temperature = 'features/env/properties/temperature';
    const [when, until] = [`gt(${temperature},30)`, `lt(${temperature},20)`];
    const rules = rulesOf({
      name: 'hot',
      when,
      until,
      releaseMs: 0,
      set: { ...set, otherwise: 0 },
    });
    const { written } = run(rules, ...[31, 25, 19, 25].map((value, index) => reads(index, value)));
    assert.deepEqual(written, [
      [0, 'mote-1', true],
      [2, 'mote-1', 0],
    ]);
  });

  it('keeps devices apart, and a shared target on while any needs it', () => {
    const apart = rulesOf({ name: 'hot', threshold, releaseMs: 0, set });
    const inputs = [reads(0, 31, 'a'), reads(1, 31, 'b'), reads(2, 20, 'a'), reads(3, 20, 'b')];
    assert.deepEqual(run(apart, ...inputs).written, [
      [0, 'a', true],
      [1, 'b', true],
      [2, 'a', false],
      [3, 'b', false],
    ]);
    const siren = { ...set, device: 'siren' };
    const shared = rulesOf({ name: 'hot', threshold, releaseMs: 0, set: siren });
    assert.deepEqual(run(shared, ...inputs).written, [
      [0, 'siren', true],
      [3, 'siren', false],
    ]);
    const gone = { kind: 'gone', nowMs: 2, device: 'a' } as const;
    assert.deepEqual(run(shared, reads(0, 31, 'a'), gone).written.at(-1), [2, 'siren', false]);
  });

  it('sets what was left on before a start back', () => {
    const rules = rulesOf({ name: 'hot', threshold, set });
    const { written } = run(rules, reads(0, 20), tick(1000));
    assert.deepEqual(written, [[1000, 'mote-1', false]]);
  });

  it('reads only the device it is for, and forgets one that is gone', () => {
    const rules = rulesOf({ name: 'hot', device: 'mote-2', threshold, set });
    assert.deepEqual(run(rules, reads(0, 31)).written, []);
    const { state } = run(rules, reads(0, 31, 'mote-2'), {
      kind: 'gone',
      nowMs: 1,
      device: 'mote-2',
    });
    assert.deepEqual([state.settled.size, state.turning.size, state.outputs.size], [0, 0, 0]);
  });

  it('never switches more often than it may, nor writes the same twice', () => {
    const holdMs = 20;
    const releaseMs = 30;
    const rules = rulesOf({ name: 'hot', threshold, holdMs, releaseMs, set });
    const event = fc.record({
      afterMs: fc.nat(15),
      value: fc.option(fc.integer({ min: 26, max: 32 })),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 100 }), (events) => {
        let nowMs = 0;
        const inputs = events.flatMap(({ afterMs, value }) => {
          nowMs += afterMs;
          return [reads(nowMs, value), tick(nowMs)];
        });
        const written = run(rules, ...inputs).written as [number, string, boolean][];
        for (const [index, [atMs, , value]] of written.entries()) {
          const before = written[index - 1];
          if (before === undefined) continue;
          assert.notEqual(value, before[2]);
          assert.ok(atMs - before[0] >= (value ? holdMs : releaseMs));
        }
      }),
    );
  });
});
