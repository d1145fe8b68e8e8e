import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ruleTable } from '../rules/rule-table.ts';
import { checkRandomGraphs } from './random-graph.contract.ts';
import { operatorDraws, randomGraph } from './random-graph.ts';

describe('random graphs', () => {
  it('agree with differences of their loss', async (t) => {
    const { agreed, skipped } = await checkRandomGraphs(5000, 40);
    t.diagnostic(`${agreed} elements agree, ${skipped} skipped at kinks`);
    assert.ok(skipped < agreed / 50);
  });

  it('are the same for the same seed', () => {
    assert.deepEqual(randomGraph(7), randomGraph(7));
    assert.notDeepEqual(randomGraph(7).operators, randomGraph(8).operators);
  });

  it('draw every operator that has a rule', () => {
    const drawn = new Set(operatorDraws.map(({ operator }) => operator));
    const rules = [...ruleTable.values()].map(({ operator }) => operator);
    assert.deepEqual(
      rules.filter((operator) => !drawn.has(operator)),
      [],
    );
  });
});
