import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../document/json.ts';
import { compileRql } from './compile-rql.ts';
import { parseRql } from './parse-rql.ts';
import { comparisons, formatRql, type RqlCondition, type RqlValue } from './rql.ts';

const property = fc.array(
  fc.string({ minLength: 1, maxLength: 6, unit: 'grapheme' }).filter((key) => !key.includes('/')),
  { minLength: 1, maxLength: 4 },
);
const value: fc.Arbitrary<RqlValue> = fc.oneof(
  fc.constantFrom(null, true, false),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
  fc.string({ unit: 'binary', maxLength: 8 }),
);
const condition: fc.Arbitrary<RqlCondition> = fc
  .letrec<{ tree: RqlCondition }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.record({ kind: fc.constantFrom(...comparisons), property, value }),
      fc.record({
        kind: fc.constant('in' as const),
        property,
        values: fc.array(value, { minLength: 1, maxLength: 3 }),
      }),
      fc.record({ kind: fc.constantFrom('like', 'ilike'), property, pattern: fc.string() }),
      fc.record({ kind: fc.constantFrom('exists', 'empty'), property }),
      fc.record({ kind: fc.constant('not' as const), part: tie('tree') }),
      fc.record({
        kind: fc.constantFrom('and', 'or'),
        parts: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }),
      }),
    ),
  }))
  .tree.map((tree) => JSON.parse(JSON.stringify(tree)) as RqlCondition);

const thing: JsonObject = {
  thingId: 'lab:mote-1',
  attributes: { room: '5.31', floor: 5, tags: ['a', 2, { name: 'x' }], none: null, void: [] },
  features: {
    lamp: { properties: { on: true, 'a,b': 1, n: 3 } },
    siren: { properties: { on: false } },
  },
};

function holds(text: string): boolean {
  const parsed = parseRql(text);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.error.message);
  return compileRql(parsed.value)(thing);
}

describe('RQL parser', () => {
  it('gives back what was written', () => {
    fc.assert(
      fc.property(condition, (tree) => {
        assert.deepEqual(parseRql(formatRql(tree)), { ok: true, value: tree });
      }),
      { numRuns: 500 },
    );
  });

  it("reads Ditto's forms", () => {
    const username = ['username'];
    for (const [text, tree] of [
      ['eq(username,"te\\"st")', { kind: 'eq', property: username, value: 'te"st' }],
      ["eq(username,'te\\'st')", { kind: 'eq', property: username, value: "te'st" }],
      ['eq(/username,+12.50)', { kind: 'eq', property: username, value: 12.5 }],
      [
        ' not( exists( username ) ) ',
        { kind: 'not', part: { kind: 'exists', property: username } },
      ],
      ['in(username,null,"x",-1)', { kind: 'in', property: username, values: [null, 'x', -1] }],
      ["like(a/b,'*x?')", { kind: 'like', property: ['a', 'b'], pattern: '*x?' }],
      ['eq(a\\u002cb,"\\u00e4")', { kind: 'eq', property: ['a,b'], value: 'ä' }],
    ] as const) {
      assert.deepEqual(parseRql(text), { ok: true, value: tree }, text);
    }
  });

  for (const [text, position] of [
    ['', 0],
    ['eq/(a,1)', 2],
    ['eq(a;1)', 6],
    ['ASDF(a,1)', 0],
    ['(a,1)', 0],
    ['eq(a,test)', 5],
    ['eq(a,0123)', 5],
    ['eq(a,-.7)', 5],
    ['eq(a,127.)', 5],
    ['eq(a,1e999)', 10],
    ['eq(a,"b', 7],
    ['eq(a,"b\\x")', 7],
    ['eq(a,1', 6],
    ['eq(a,1))', 7],
    ['eq(,1)', 3],
    ['eq(a//b,1)', 7],
    ['exists("a")', 7],
    ['exists(a,"b")', 8],
    ['like(a,1)', 8],
    ['and()', 4],
    ['and(eq(a,1),)', 12],
    ['not(eq(a,1),eq(b,1))', 11],
    ['lt(_modified,time:now)', 13],
  ] as const) {
    it(`says where it stops: ${text}`, () => {
      const parsed = parseRql(text);
      assert.ok(!parsed.ok, 'was accepted');
      assert.equal(parsed.error.code, 'rql-invalid');
      assert.equal(parsed.error.position, position, parsed.error.message);
    });
  }

  it('bounds length, depth and parts', () => {
    const nested = `${'not('.repeat(16)}exists(a)${')'.repeat(16)}`;
    const wide = `in(a${',1'.repeat(256)})`;
    for (const text of ['x'.repeat(8193), nested, wide, 'and('.repeat(2000)]) {
      assert.ok(!parseRql(text).ok);
    }
    assert.ok(parseRql(nested.slice(4, -1)).ok);
    assert.ok(parseRql(`in(a${',1'.repeat(255)})`).ok);
  });

  it('never throws, and answers shortly', () => {
    const soup = fc.array(
      fc.constantFrom('eq', 'and', 'not', '(', ')', ',', '"', "'", '\\', '/', 'a', '1', '-', ' '),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          soup.map((words) => words.join('')),
        ),
        (text) => {
          const parsed = parseRql(text);
          if (parsed.ok) assert.deepEqual(parseRql(formatRql(parsed.value)), parsed);
          else assert.ok(parsed.error.message.length < 200 && parsed.error.position <= text.length);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('RQL condition', () => {
  for (const [text, expected] of [
    ['eq(attributes/room,"5.31")', true],
    ['eq(attributes/floor,"5")', false],
    ['ne(attributes/room,"x")', true],
    ['ne(attributes/nothing,"x")', false],
    ['eq(attributes/none,null)', true],
    ['eq(attributes/nothing,null)', false],
    ['gt(attributes/floor,4.9)', true],
    ['ge(attributes/floor,5)', true],
    ['lt(attributes/floor,5)', false],
    ['le(attributes/floor,5)', true],
    ['lt(attributes/room,6)', false],
    ['gt(attributes/none,-1)', false],
    ['lt(thingId,"m")', true],
    ['in(attributes/floor,4,5)', true],
    ['in(attributes/floor,"5")', false],
    ['like(thingId,"lab:*")', true],
    ['like(thingId,"LAB:*")', false],
    ['ilike(thingId,"LAB:mote-?")', true],
    ['exists(features/lamp)', true],
    ['exists(features/constructor)', false],
    ['exists(attributes/none)', true],
    ['exists(attributes/void)', true],
    ['empty(attributes/void)', true],
    ['empty(attributes/none)', true],
    ['empty(attributes/nothing)', true],
    ['empty(attributes/floor)', false],
    ['empty(features)', false],
    ['eq(attributes/tags,"a")', true],
    ['ne(attributes/tags,"a")', false],
    ['gt(attributes/tags,3)', false],
    ['eq(attributes/tags/name,"x")', true],
    ['eq(features/lamp/properties/a\\u002cb,1)', true],
    ['eq(features/*/properties/on,true)', true],
    ['ne(features/*/properties/on,true)', true],
    ['gt(features/*/properties/n,3)', false],
    ['exists(features/*/properties/n)', true],
    ['exists(features/*/desiredProperties)', false],
    ['and(eq(attributes/floor,5),not(exists(attributes/x)))', true],
    ['and(eq(attributes/floor,5),exists(attributes/x))', false],
    ['or(eq(attributes/floor,6),exists(attributes/x))', false],
    ['or(eq(attributes/floor,5),exists(attributes/x))', true],
  ] as const) {
    it(`${text}: ${expected}`, () => assert.equal(holds(text), expected));
  }
});
