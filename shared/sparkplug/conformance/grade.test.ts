import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Capture } from './capture.ts';
import { connectionBreaches, reorderingBreaches } from './connection-breaches.fixture.ts';
import { contentBreaches } from './content-breaches.fixture.ts';
import type { DraftCapture, DraftMessage } from './draft.fixture.ts';
import { assertions, type Grade, grade } from './grade.ts';
import { messageBreaches } from './message-breaches.fixture.ts';
import { reorderedCapture, soundCapture } from './sound-capture.fixture.ts';
import { undecided } from './undecided.ts';

const options = { reorderTimeoutMs: 2000 };
const breaches = [...messageBreaches, ...contentBreaches, ...connectionBreaches];
const cases = [
  ...breaches.map((one) => ({ ...one, sound: soundCapture })),
  ...reorderingBreaches.map((one) => ({ ...one, sound: reorderedCapture })),
];

function gradesOf(draft: DraftCapture): Map<string, Grade> {
  return new Map(grade(draft.seal(), options).map((one) => [one.assertion.id, one]));
}

function idsOf(grades: Iterable<Grade>, outcome: Grade['outcome']): string[] {
  return [...grades].filter((one) => one.outcome === outcome).map(({ assertion }) => assertion.id);
}

describe('the grades of a capture', () => {
  it('are passes where nothing is wrong, and leave out nothing', () => {
    const sound = gradesOf(soundCapture());
    const reordered = gradesOf(reorderedCapture());
    assert.deepEqual(idsOf(sound.values(), 'fail'), []);
    const unseen = idsOf(sound.values(), 'not-seen');
    assert.deepEqual(
      unseen.filter((id) => reordered.get(id)?.outcome !== 'pass'),
      [],
    );
  });

  for (const [i, { ids, how, sound }] of cases.entries()) {
    it(`fail for breach ${i}: ${ids.join(', ')}`, () => {
      const broken = sound();
      how(broken);
      const grades = gradesOf(broken);
      for (const id of ids) {
        const own = grades.get(`tck-id-${id}`);
        assert.equal(own?.outcome, 'fail', `${id} is ${own?.outcome}`);
        assert.ok(own.fault?.message, `${id} says what is wrong`);
      }
    });
  }

  it('can be failures for every assertion', () => {
    const broken = new Set(cases.flatMap(({ ids }) => ids.map((id) => `tck-id-${id}`)));
    const unbroken = assertions.filter(({ id }) => !broken.has(id)).map(({ id }) => id);
    assert.deepEqual(unbroken, []);
    assert.equal(broken.size, assertions.length, 'the breaches name assertions that there are');
  });

  it('need no connections for what messages decide', () => {
    const heard: Capture = soundCapture()
      .seal()
      .flatMap((event) => {
        if (event.kind !== 'publish') return [];
        const { client: _, ...anonymous } = event;
        return anonymous;
      });
    const grades = grade(heard);
    assert.deepEqual(idsOf(grades, 'fail'), []);
    const unseen = grades.filter(({ outcome }) => outcome === 'not-seen');
    assert.deepEqual(
      unseen
        .filter(({ assertion }) => assertion.needs === 'messages')
        .map((one) => one.assertion.id),
      idsOf(gradesOf(reorderedCapture()).values(), 'pass').filter((id) =>
        id.includes('reordering'),
      ),
    );
    const passed = grades.filter(({ outcome }) => outcome === 'pass');
    assert.ok(passed.every(({ assertion }) => assertion.needs === 'messages'));
  });

  it('of a capture that begins in the midst of things blame nobody for what came before', () => {
    const { events } = soundCapture();
    const publishes = events.filter(({ kind }) => kind === 'publish');
    for (const start of publishes.keys()) {
      const draft = soundCapture();
      draft.events.splice(0, draft.events.length, ...publishes.slice(start));
      for (const event of draft.events) delete event.client;
      const { length } = commandsBefore(draft);
      const blamed = idsOf(grade(draft.seal()), 'fail');
      assert.ok(length > 0 || blamed.length === 0, `from ${start}: ${blamed.join(', ')}`);
    }
  });

  it('take a will that comes late for the end of the session it is of', () => {
    const draft = soundCapture();
    const late = draft.copy('edge will', { kind: 'publish', at: draft.find('dbirth-of-2').at });
    delete late.client;
    draft.insertAfter('dbirth-of-2', late, draft.copy('ndata', { ...late, ...dataOf(draft) }));
    assert.deepEqual(idsOf(grade(draft.seal()), 'fail'), []);
  });

  it('take what the broker had kept for no part of a session', () => {
    const draft = soundCapture();
    const birth = { ...draft.copy('nbirth', { retain: true }), kept: true };
    const data = ['ndata-6', 'ndata-7', 'ddata-2'].map((tag) => draft.find(tag));
    draft.events.splice(0, draft.events.length, birth, ...data);
    for (const event of draft.events) delete event.client;
    assert.deepEqual(idsOf(grade(draft.seal()), 'fail'), [
      'tck-id-topics-nbirth-mqtt',
      'tck-id-message-flow-edge-node-birth-publish-nbirth-retained',
      'tck-id-payloads-nbirth-retain',
    ]);
  });

  it('of nothing are not seen', () => {
    assert.ok(grade([]).every(({ outcome }) => outcome === 'not-seen'));
  });
});

/** Of the next data in the second session. */
function dataOf(draft: DraftCapture) {
  const { topic, payload } = draft.find('ndata');
  const { at } = draft.find('dbirth-of-2');
  const next = { ...(payload as DraftMessage), timestamp: at, seq: 2 };
  return { topic: topic!, qos: 0, retain: false, client: 'edge', payload: next };
}

/** A host whose STATE nobody heard looks as if it had none: a broker keeps the last, however. */
function commandsBefore({ events }: DraftCapture) {
  const first = events.findIndex(({ topic }) => topic?.includes('STATE'));
  return events.slice(0, first).filter(({ topic }) => topic?.includes('CMD'));
}

describe('the table of assertions', () => {
  it('has each id once, decided or not', () => {
    const all = [...assertions, ...undecided].map(({ id }) => id);
    assert.equal(new Set(all).size, all.length);
    assert.equal(all.length, 288, 'the specification has 299, of which 11 bind MQTT servers');
  });
});
