import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compileLike } from './like-pattern.ts';

function slowMatch(text: readonly string[], pattern: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return text.length === 0;
  if (first === '*') {
    return slowMatch(text, rest) || (text.length > 0 && slowMatch(text.slice(1), pattern));
  }
  return text.length > 0 && (first === '?' || first === text[0]) && slowMatch(text.slice(1), rest);
}

describe('like', () => {
  it('agrees with the definition', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '🙂'), maxLength: 9 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '🙂', '*', '?'), maxLength: 7 });
    fc.assert(
      fc.property(text, pattern, (each, wanted) => {
        assert.equal(compileLike(wanted, false)(each), slowMatch([...each], [...wanted]));
      }),
      { numRuns: 2000 },
    );
  });

  it('minds case unless told not to', () => {
    assert.ok(!compileLike('*TEMP*', false)('my temp'));
    assert.ok(compileLike('*TEMP*', true)('my temp'));
  });

  it('takes no character of a pattern for a regular expression', () => {
    assert.ok(!compileLike('a.c', false)('abc'));
    assert.ok(compileLike('(a+)+$', false)('(a+)+$'));
  });

  it('ends on a pattern made to backtrack', () => {
    assert.ok(!compileLike(`${'*a'.repeat(100)}b`, false)('a'.repeat(4000)));
  });
});
