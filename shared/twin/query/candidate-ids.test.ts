import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { candidateIds } from './candidate-ids.ts';
import { compileRql } from './compile-rql.ts';
import { parseRql } from './parse-rql.ts';
import type { RqlCondition } from './rql.ts';

const ids = ['lab:a', 'lab:b', 'lab:c'];
const property = fc.constantFrom(['thingId'], ['attributes', 'thingId']);
const leaf: fc.Arbitrary<RqlCondition> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('eq' as const, 'ne' as const),
    property,
    value: fc.constantFrom(...ids, 7),
  }),
  fc.record({
    kind: fc.constant('in' as const),
    property,
    values: fc.array(fc.constantFrom(...ids), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('exists' as const), property }),
);
const { condition } = fc.letrec<{ condition: RqlCondition }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      parts: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('not' as const), part: tie('condition') }),
  ),
}));

describe('the ids a condition can hold of', () => {
  it('are all of those it holds of', () => {
    fc.assert(
      fc.property(condition, fc.constantFrom(...ids), (asked, thingId) => {
        const candidates = candidateIds(asked);
        const holds = compileRql(asked)({ thingId, attributes: { thingId } });
        assert.ok(!holds || candidates === undefined || candidates.has(thingId));
      }),
      { numRuns: 1000 },
    );
  });

  for (const [text, wanted] of [
    ['eq(thingId,"lab:a")', ['lab:a']],
    ['and(exists(attributes),in(thingId,"lab:a","lab:b"),eq(thingId,"lab:a"))', ['lab:a']],
    ['or(eq(thingId,"lab:a"),eq(thingId,"lab:b"))', ['lab:a', 'lab:b']],
    ['or(eq(thingId,"lab:a"),exists(attributes))', undefined],
    ['not(eq(thingId,"lab:a"))', undefined],
    ['eq(attributes/thingId,"lab:a")', undefined],
  ] as const) {
    it(`are found in ${text}`, () => {
      const parsed = parseRql(text);
      assert.ok(parsed.ok);
      const found = candidateIds(parsed.value);
      assert.deepEqual(found === undefined ? undefined : [...found], wanted);
    });
  }
});
