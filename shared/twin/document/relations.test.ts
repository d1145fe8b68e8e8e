import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject, JsonValue } from './json.ts';
import { checkRelations, readRelations } from './relations.ts';

const before = { thingId: 'lab:a', attributes: {} };
const check = (relations: JsonValue, was: JsonObject = {}) =>
  checkRelations({ relations }, { ...before, attributes: was });

describe('relations', () => {
  it('are read by type, and what has another shape is none', () => {
    const relations = { controls: ['lab:b', 'x:c'], partOf: ['lab:r'], odd: 'lab:d', none: [3] };
    assert.deepEqual(readRelations({ relations }), [
      { type: 'controls', thingId: 'lab:b' },
      { type: 'controls', thingId: 'x:c' },
      { type: 'partOf', thingId: 'lab:r' },
    ]);
    assert.deepEqual(readRelations({}), []);
    assert.deepEqual(readRelations({ relations: ['lab:b'] }), []);
  });

  it('name things that need not be there', () => {
    assert.ok(check({ controls: ['lab:b', 'elsewhere:c'], partOf: [] }).ok);
    assert.ok(check({}).ok);
    assert.ok(checkRelations({}, before).ok);
  });

  for (const [name, relations] of [
    ['no object', ['lab:b']],
    ['no list', { controls: 'lab:b' }],
    ['what is no id', { controls: ['b'] }],
    ['another value', { controls: [{ thingId: 'lab:b' }] }],
    ['itself', { controls: ['lab:a'] }],
    ['one twice', { controls: ['lab:b', 'lab:b'] }],
    ['a type that is no word', { 'a b': ['lab:b'] }],
    ['too many types', Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`t${n}`, []]))],
    ['too many things', { controls: Array.from({ length: 257 }, (_, n) => `lab:b-${n}`) }],
  ] as [string, JsonValue][]) {
    it(`may not be ${name}`, () => {
      const checked = check(relations);
      assert.ok(!checked.ok && checked.error.code === 'thing-invalid');
    });
  }

  it('keep nobody from editing a thing that had others before', () => {
    assert.ok(check('free text', { relations: 'free text' }).ok);
    assert.ok(!check('other text', { relations: 'free text' }).ok);
  });
});
