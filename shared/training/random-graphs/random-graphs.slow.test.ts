import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkRandomGraphs } from './random-graph.contract.ts';
import { operatorDraws } from './random-graph.ts';

describe('a thousand random graphs', () => {
  it('agree with differences of their loss', async (t) => {
    const { agreed, skipped, operators } = await checkRandomGraphs(0, 1000);
    t.diagnostic(`${agreed} elements agree, ${skipped} skipped at kinks`);
    assert.ok(skipped < agreed / 50);
    const rare = operatorDraws.filter(({ operator }) => (operators.get(operator) ?? 0) < 5);
    assert.deepEqual(rare, [], 'every operator is in several graphs');
  });
});
