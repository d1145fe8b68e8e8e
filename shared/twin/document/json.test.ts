import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { checkJson, jsonEqual, ownValue, parseJson } from './json.ts';

const limits = { depthMax: 3, valuesMax: 10, charactersMax: 1000 };

function refusal(value: unknown): string {
  const checked = checkJson(value, limits);
  return checked.ok ? 'was accepted' : checked.error.code;
}

describe('JSON limits', () => {
  it('takes what JSON can say', () => {
    for (const value of [null, true, -1.5e300, 'ä🙂', [], [{ a: [1] }], { constructor: 1 }]) {
      assert.ok(checkJson(value, limits).ok, JSON.stringify(value));
    }
  });

  for (const [name, value, code] of [
    ['NaN', Number.NaN, 'json-invalid'],
    ['an infinity inside', [Number.NEGATIVE_INFINITY], 'json-invalid'],
    ['undefined', { a: undefined }, 'json-invalid'],
    ['bytes', { a: new Uint8Array(2) }, 'json-invalid'],
    ['a big integer', 2n, 'json-invalid'],
    ['half a character', '\ud800', 'json-invalid'],
    ['one level too many', [[[[]]]], 'json-too-deep'],
    ['one value too many', new Array(10).fill(0), 'json-too-many-values'],
    ['a text too long', 'x'.repeat(999), 'json-too-large'],
    ['a key too long', { ['x'.repeat(999)]: 1 }, 'json-too-large'],
    ['an empty key', { '': 1 }, 'json-key-refused'],
    ['a key with a slash', { 'a/b': 1 }, 'json-key-refused'],
    ['a key with a control character', { 'a\n': 1 }, 'json-key-refused'],
    ['a key that makes a prototype', JSON.parse('{"__proto__":{}}'), 'json-key-refused'],
  ] as const) {
    it(`refuses ${name}`, () => assert.equal(refusal(value), code));
  }

  it('takes exactly as deep and as many as is said', () => {
    assert.ok(checkJson([[[1]]], limits).ok);
    assert.ok(checkJson(new Array(9).fill(0), limits).ok);
  });

  it('reads text, and refuses what is none, too long or nested without end', () => {
    assert.deepEqual(parseJson(' {"a": [1]} ', limits), { ok: true, value: { a: [1] } });
    const deep = '['.repeat(2500) + ']'.repeat(2500);
    for (const [text, code] of [
      ['{"a":', 'json-invalid'],
      [`${' '.repeat(6000)}1`, 'json-too-large'],
      [deep, 'json-too-deep'],
    ] as const) {
      const parsed = parseJson(text, limits);
      assert.equal(parsed.ok ? 'was accepted' : parsed.error.code, code);
    }
  });

  it('bounds what is written', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        if (!checkJson(value, { ...limits, charactersMax: 200 }).ok) return;
        const escapes = 6;
        assert.ok(JSON.stringify(value).length <= 200 * escapes);
      }),
    );
  });
});

describe('JSON values', () => {
  it('are equal when they say the same', () => {
    assert.ok(jsonEqual({ a: 1, b: [null] }, { b: [null], a: 1 }));
    for (const [a, b] of [
      [{ a: 1 }, { a: 1, b: 1 }],
      [{ a: undefined as never }, { b: 1 }],
      [
        [1, 2],
        [2, 1],
      ],
      [[], {}],
      [null, {}],
      [0, '0'],
      [undefined, null],
      [{}, { constructor: 1 }],
    ] as const) {
      assert.ok(!jsonEqual(a, b), JSON.stringify([a, b]));
      assert.ok(!jsonEqual(b, a), JSON.stringify([b, a]));
    }
  });

  it('hold only what is their own', () => {
    const record: Record<string, number> = { a: 1 };
    assert.equal(ownValue(record, 'a'), 1);
    assert.equal(ownValue(record, 'constructor'), undefined);
  });
});
