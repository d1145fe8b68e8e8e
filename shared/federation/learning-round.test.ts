import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { digestOf } from '../identity/digest.ts';
import {
  gatheringState,
  type LearningEffect,
  type LearningInput,
  type LearningState,
  type RoundUpdate,
  stepLearning,
} from './learning-round.ts';

const b0 = digestOf(Uint8Array.of(0));
const b1 = digestOf(Uint8Array.of(1));
const rules = { quorum: 2, deadlineMs: 100, intervalMs: 10 };

function update(device: string, over: Partial<RoundUpdate> = {}): RoundUpdate {
  const base = { round: 1, base: b0, sampleCount: 1, loss: 1, digest: b0, parameters: [] };
  return { device, ...base, ...over };
}

function play(inputs: readonly LearningInput[]) {
  let state: LearningState = gatheringState(1, b0, 0);
  const effects: LearningEffect[] = [];
  const rejections: string[] = [];
  for (const input of inputs) {
    const step = stepLearning(rules, state, input);
    if (!step.ok) {
      rejections.push(step.error.code);
      continue;
    }
    state = step.value.state;
    effects.push(...step.value.effects);
  }
  return { state, kinds: effects.map(({ kind }) => kind), effects, rejections };
}

const begin: LearningInput = { kind: 'tick', nowMs: 0, eligible: ['c', 'a', 'b'] };
const answer = (device: string, over?: Partial<RoundUpdate>): LearningInput => ({
  kind: 'update',
  update: update(device, over),
});

describe('learning round', () => {
  it('waits for a quorum of devices and its time', () => {
    assert.deepEqual(play([{ kind: 'tick', nowMs: 0, eligible: ['a'] }]).kinds, []);
    const late = stepLearning(rules, gatheringState(1, b0, 50), { ...begin });
    assert.ok(late.ok && late.value.effects.length === 0);
    assert.deepEqual(play([begin]).effects, [
      { kind: 'announce', round: 1, base: b0, participants: ['a', 'b', 'c'] },
    ]);
  });

  it('aggregates as soon as all have answered', () => {
    const { kinds } = play([begin, answer('a'), answer('b'), answer('c')]);
    assert.deepEqual(kinds, ['announce', 'aggregate']);
  });

  it('aggregates a quorum at the deadline, without the dead', () => {
    const end: LearningInput = { kind: 'tick', nowMs: 100, eligible: [] };
    const { effects } = play([begin, answer('a'), answer('c'), end]);
    const last = effects.at(-1);
    assert.ok(last?.kind === 'aggregate');
    assert.deepEqual(
      last.updates.map(({ device }) => device),
      ['a', 'c'],
    );
  });

  it('abandons below the quorum at the deadline, and holds the round again', () => {
    const end: LearningInput = { kind: 'tick', nowMs: 100, eligible: [] };
    const again: LearningInput = { kind: 'tick', nowMs: 110, eligible: ['a', 'b'] };
    const { kinds, state } = play([begin, answer('a'), end, again]);
    assert.deepEqual(kinds, ['announce', 'abandon', 'announce']);
    assert.equal(state.round, 1);
  });

  it('goes on to the next round from what was committed', () => {
    const { state } = play([
      begin,
      ...['a', 'b', 'c'].map((device) => answer(device)),
      { kind: 'committed', nowMs: 50, digest: b1 },
    ]);
    assert.deepEqual(state, { phase: 'gathering', round: 2, base: b1, notBeforeMs: 60 });
  });

  it('rejects what does not fit, by its code', () => {
    const { rejections } = play([
      answer('a'),
      begin,
      answer('a', { round: 7 }),
      answer('a', { base: b1 }),
      answer('stranger'),
      answer('a'),
      answer('a'),
    ]);
    assert.deepEqual(rejections, [
      'no-round-open',
      'stale-round',
      'stale-base',
      'not-a-participant',
      'duplicate-update',
    ]);
  });

  it('never aggregates below the quorum or counts a device twice, whatever happens', () => {
    const device = fc.constantFrom('a', 'b', 'c', 'd');
    const input: fc.Arbitrary<LearningInput> = fc.oneof(
      fc.record({
        kind: fc.constant('tick' as const),
        nowMs: fc.nat(500),
        eligible: fc.uniqueArray(device),
      }),
      fc
        .record({ device, round: fc.integer({ min: 1, max: 3 }) })
        .map(({ device, round }) => answer(device, { round })),
      fc.constant({ kind: 'committed' as const, nowMs: 0, digest: b0 }),
    );
    fc.assert(
      fc.property(fc.array(input, { maxLength: 80 }), (inputs) => {
        for (const effect of play(inputs).effects) {
          if (effect.kind !== 'aggregate') continue;
          const devices = effect.updates.map((each) => each.device);
          assert.ok(devices.length >= rules.quorum);
          assert.equal(new Set(devices).size, devices.length);
        }
      }),
    );
  });
});
