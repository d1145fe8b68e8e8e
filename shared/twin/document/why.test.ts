import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { thingDelta } from './delta.ts';
import type { JsonValue } from './json.ts';
import { stepThing } from './step-thing.ts';
import { newThing, type Thing } from './thing.ts';
import type { ThingInput } from './thing-step.ts';
import { explainThing } from './why.ts';

const EPOCH = '0123456789abcdef';
const PATH = 'features/env/desiredProperties/target';

function run(...inputs: ThingInput[]): Thing {
  return inputs.reduce<Thing>(
    (thing, input) => {
      const step = stepThing(thing, input);
      assert.ok(step.ok);
      return step.value.thing;
    },
    newThing('lab:mote-1', EPOCH),
  );
}

function online(state: boolean, nowMs: number): ThingInput {
  return { kind: 'presence', nowMs, online: state, units: {} };
}

function want(value: JsonValue, nowMs: number, by = 'ann'): ThingInput {
  return { kind: 'edited', nowMs, by, edit: { op: 'put', path: PATH, value } };
}

function report(value: JsonValue, nowMs: number): ThingInput {
  const sample = { property: 'env/target', timeMs: nowMs, quality: 'ok' as const };
  const samples = [{ ...sample, sequence: nowMs, value }];
  return { kind: 'reported', nowMs, epoch: EPOCH, generation: 1, samples };
}

function answer(av: number, ac: number, nowMs: number, value: JsonValue = 21): ThingInput {
  const acknowledgements = [{ path: 'env/target', value, ac, av, ad: ac >= 400 ? 'too hot' : '' }];
  return { kind: 'acknowledged', nowMs, epoch: EPOCH, acknowledgements };
}

const start = [online(true, 5)];

describe('delta and why', () => {
  for (const [name, inputs, state, codes, tolerances] of [
    ['nobody answered', [...start, want(21, 20)], 'unseen', ['unseen'], {}],
    [
      'the device is gone',
      [...start, want(21, 20), online(false, 30)],
      'unseen',
      ['offline', 'unseen'],
      {},
    ],
    [
      'the device is at it',
      [...start, want(21, 20), answer(1, 202, 30)],
      'in-progress',
      ['in-progress'],
      {},
    ],
    [
      'the device refused',
      [...start, want(21, 20), answer(1, 422, 30)],
      'rejected',
      ['rejected'],
      {},
    ],
    [
      'it says done and has not reported since',
      [...start, report(15, 6), want(21, 20), answer(1, 200, 30)],
      'unconfirmed',
      ['unconfirmed'],
      {},
    ],
    [
      'it reports something else',
      [...start, want(21, 20), answer(1, 200, 30), report(15, 40)],
      'differs',
      ['out-of-tolerance'],
      { 'env/target': 5 },
    ],
    [
      'it took another value',
      [...start, want(21, 20), answer(1, 200, 30, 19)],
      'differs',
      ['out-of-tolerance'],
      {},
    ],
    [
      'it took the value and does not report',
      [...start, want(21, 20), answer(1, 200, 30)],
      'in-step',
      [],
      {},
    ],
    ['it is reported', [...start, want(21, 20), report(21, 30)], 'in-step', [], {}],
    [
      'it is near enough',
      [...start, want(21, 20), report(20.5, 30)],
      'in-step',
      [],
      { 'env/target': 0.5 },
    ],
    [
      'another wrote before the device answered',
      [...start, want(21, 20), want(25, 30, 'bob')],
      'unseen',
      ['unseen', 'overwritten'],
      {},
    ],
  ] as const) {
    it(`${name}: ${state}`, () => {
      const [explained] = explainThing(run(...inputs), tolerances);
      assert.equal(explained?.state, state);
      assert.deepEqual(
        explained.reasons.map(({ code }) => code),
        codes,
      );
      const { reasons: _, ...delta } = explained;
      assert.deepEqual(thingDelta(run(...inputs), tolerances), [delta]);
    });
  }

  it('names since when, who, and the words of the device', () => {
    const thing = run(
      ...start,
      want(21, 20),
      want(25, 30, 'bob'),
      answer(2, 422, 40),
      online(false, 50),
    );
    const [explained] = explainThing(thing);
    assert.deepEqual(
      [explained?.path, explained?.version, explained?.pendingSinceMs, explained?.acknowledged],
      ['env/target', 2, 30, true],
    );
    assert.deepEqual(explained?.reasons, [
      {
        code: 'offline',
        sinceMs: 50,
        message: 'the device has been offline since 1970-01-01T00:00:00.050Z',
      },
      { code: 'rejected', sinceMs: 40, message: 'the device rejected it with 422: too hot' },
      {
        code: 'overwritten',
        sinceMs: 30,
        by: 'bob',
        message: 'bob overwrote 21 (version 1, by ann) before the device had taken it',
      },
    ]);
  });

  it('tells a value that somebody wrote from one that the device reported', () => {
    const path = 'features/env/properties/target';
    const thing = run(...start, report(15, 6), want(21, 20));
    const step = stepThing(thing, {
      kind: 'edited',
      nowMs: 60,
      by: 'eve',
      edit: { op: 'put', path, value: 16 },
      precondition: { revision: thing.revision },
    });
    assert.ok(step.ok);
    const reasons = explainThing(step.value.thing)[0]!.reasons;
    assert.deepEqual(
      reasons.map(({ code, by }) => [code, by]),
      [
        ['unseen', undefined],
        ['written-over', 'eve'],
      ],
    );
  });
});
