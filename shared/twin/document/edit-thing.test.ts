import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseRql } from '../query/parse-rql.ts';
import { applyChanges } from './content-difference.ts';
import type { JsonValue } from './json.ts';
import { stepThing } from './step-thing.ts';
import { thingContent } from './thing.ts';
import { edited, fresh, put, refusal, reported, run, sample } from './thing-run.fixture.ts';
import type { ThingInput } from './thing-step.ts';

describe('thing, edited', () => {
  const { thing } = run(fresh, reported(sample(1, 20)), edited(put('attributes/room', '5')));

  it('keeps to If-Match, If-None-Match and conditions', () => {
    const condition = (text: string) => {
      const parsed = parseRql(text);
      assert.ok(parsed.ok);
      return { condition: parsed.value };
    };
    const edit = put('attributes/room', '6');
    assert.equal(refusal(thing, edited(edit, { revision: 1 })), 'precondition-failed');
    assert.equal(refusal(thing, edited(edit, { absent: true })), 'precondition-failed');
    const other = condition('eq(attributes/room,"7")');
    assert.equal(refusal(thing, edited(edit, other)), 'precondition-failed');
    assert.equal(refusal(fresh, edited(put('', {}), { revision: 0 })), 'precondition-failed');
    run(thing, edited(edit, { revision: 2, ...condition('eq(_revision,2)') }));
    run(fresh, edited(put('', {}), { absent: true }));
  });

  it('lets the device have its say unless the revision is named', () => {
    const path = 'features/env/properties/temperature';
    assert.equal(refusal(thing, edited(put(path, 99))), 'override-needs-revision');
    assert.equal(refusal(thing, edited(put('features', {}))), 'override-needs-revision');
    const { thing: over } = run(thing, edited(put(path, 99), { revision: 2 }));
    assert.equal(over.features.env?.properties.temperature?.value, 99);
    assert.equal(over.features.env?.properties.temperature?.writtenBy, 'ann');
    assert.equal(run(over, reported(sample(1, 20))).thing, over);
    const next = run(over, reported(sample(2, 22))).thing.features.env?.properties.temperature;
    assert.deepEqual([next?.value, next?.writtenBy], [22, undefined]);
  });

  it('does not bring back what was deleted, save by a newer report', () => {
    const edit = { op: 'delete', path: 'features/env/properties/temperature' } as const;
    const { thing: gone } = run(thing, edited(edit, { revision: 2 }));
    assert.deepEqual(thingContent(gone).features, { env: {} });
    assert.equal(run(gone, reported(sample(1, 20))).thing, gone);
    const back = run(gone, reported(sample(2, 22))).thing;
    assert.deepEqual(thingContent(back).features, { env: { properties: { temperature: 22 } } });
  });

  it('goes on counting when a thing is deleted and comes back', () => {
    const target = put('features/env/desiredProperties/target', 21);
    const { thing: gone, effects } = run(thing, edited(target), edited({ op: 'delete', path: '' }));
    assert.deepEqual([gone.exists, gone.revision, gone.desiredVersion], [false, 4, 2]);
    assert.equal(effects.filter(({ kind }) => kind === 'publish-desired').length, 2);
    assert.equal(refusal(gone, edited(put('attributes/a', 1))), 'thing-not-found');
    assert.equal(refusal(gone, edited({ op: 'delete', path: '' })), 'thing-not-found');
    assert.equal(run(gone, reported(sample(1, 20))).thing, gone);
    const back = run(gone, edited(put('', { attributes: { a: 1 } }))).thing;
    assert.deepEqual(thingContent(back), {
      thingId: 'lab:mote-1',
      attributes: { a: 1 },
      features: {},
    });
    assert.equal(back.revision, 5);
  });

  for (const [name, edit, code] of [
    ['a path that is none', put('a//b', 1), 'pointer-invalid'],
    ['an unknown part', put('policyId', 'x'), 'thing-invalid'],
    ['an unknown part of a feature', put('features/env/state', 1), 'thing-invalid'],
    ['another id', put('thingId', 'lab:other'), 'thing-invalid'],
    ['attributes that are no object', put('attributes', 5), 'thing-invalid'],
    ['a whole thing that is no object', put('', [1]), 'thing-invalid'],
    ['a feature named *', put('features/*', {}), 'thing-invalid'],
    ['a name too long', put(`features/${'x'.repeat(129)}`, {}), 'thing-invalid'],
    ['deleting what is not there', { op: 'delete', path: 'attributes/x' }, 'path-not-found'],
    ['a deep value', put('attributes/a', deep(33)), 'json-too-deep'],
    ['a value deep where it is put', put('attributes/a', deep(31)), 'json-too-deep'],
    [
      'a large desired value',
      put('features/a/desiredProperties/b', 'x'.repeat(4096)),
      'json-too-large',
    ],
    ['a large property', put('features/a/properties/b', 'x'.repeat(4096)), 'json-too-large'],
    [
      'a pattern',
      { op: 'merge', path: 'attributes', patch: { '{{ ~.*~ }}': null } },
      'patch-regex-refused',
    ],
    [
      'a key without a name',
      { op: 'merge', path: '', patch: { attributes: { '': 1 } } },
      'json-key-refused',
    ],
    ['too many desired', put('features/a/desiredProperties', many(1001)), 'too-many-properties'],
    ['too many properties', put('features/a/properties', many(1000)), 'too-many-properties'],
  ] as const) {
    it(`refuses ${name}, and changes nothing`, () => {
      assert.equal(refusal(thing, edited(edit)), code);
    });
  }

  it('tells a property as a whole, whatever changed in it', () => {
    const inside = 'features/env/desiredProperties/target/low';
    const { effects } = run(thing, edited(put(inside, 1)), edited(put(inside, 2)));
    const last = effects.findLast(({ kind }) => kind === 'record');
    assert.ok(last?.kind === 'record');
    const path = '/features/env/desiredProperties/target';
    assert.deepEqual(last.entry.changes, [{ path, value: { low: 2 } }]);
  });

  it('bounds what is edited, and not by what the device reports', () => {
    const text = 'x'.repeat(4000);
    const samples = Array.from({ length: 100 }, (_, i) => sample(i + 2, text, `big/p${i}`));
    const { thing: big } = run(thing, reported(...samples), edited(put('attributes/room', '6')));
    assert.equal(big.attributes.room, '6');
    const notes = { a: 'x'.repeat(200_000) };
    const { thing: full } = run(big, edited(put('attributes/a', notes)));
    assert.equal(refusal(full, edited(put('attributes/b', notes))), 'json-too-large');
  });

  it('tells what changed, so that its history gives the thing', () => {
    const path = fc.constantFrom(
      '',
      'attributes',
      'attributes/a/b',
      'definition',
      'features',
      'features/f',
      'features/f/properties',
      'features/f/properties/p',
      'features/g/desiredProperties/q',
    );
    const value: fc.Arbitrary<JsonValue> = fc.constantFrom<JsonValue>(
      1,
      'x',
      { a: 1 },
      { p: { deep: 1 } },
      { properties: { p: 2 } },
      { features: { f: { desiredProperties: { p: 1 } } }, attributes: { b: {} } },
    );
    const input: fc.Arbitrary<ThingInput> = fc.oneof(
      fc.record({ path, value }).map((each) => edited({ op: 'put', ...each })),
      fc.record({ path, patch: value }).map((each) => edited({ op: 'merge', ...each })),
      path.map((each) => edited({ op: 'delete', path: each })),
      fc.integer({ min: 1, max: 20 }).map((each) => reported(sample(each, each, 'f/p'))),
      fc.boolean().map((online) => ({ kind: 'presence', nowMs: 1, online, units: {} }) as const),
    );
    fc.assert(
      fc.property(fc.array(input, { maxLength: 20 }), fc.boolean(), (inputs, seize) => {
        let now = fresh;
        let told: JsonValue | undefined;
        for (const each of inputs) {
          const revision = seize && now.exists ? { revision: now.revision } : {};
          const step = stepThing(
            now,
            each.kind === 'edited' ? { ...each, precondition: revision } : each,
          );
          if (!step.ok) continue;
          const { thing: next, effects } = step.value;
          const records = effects.flatMap((effect) => (effect.kind === 'record' ? [effect] : []));
          assert.equal(next.revision, now.revision + records.length);
          for (const { entry } of records) told = applyChanges(told, entry.changes);
          now = next;
          assert.deepEqual(told, now.exists ? thingContent(now) : undefined);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

function deep(levels: number): JsonValue {
  return levels === 0 ? 1 : [deep(levels - 1)];
}

function many(count: number): JsonValue {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, 1]));
}
