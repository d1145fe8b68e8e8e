import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readTrace, replayTrace } from './replay-trace.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');

function fixture(name: string): string {
  return readTrace(join(FIXTURES, `${name}.itf.json.gz`));
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Every trace that differs from the given one in one number or text of what is not an input. */
function* altered(text: string): Generator<{ path: string; text: string }> {
  const trace = JSON.parse(text) as { states: Json };
  for (const { path, change } of leaves(trace.states, 'states')) {
    const restore = change();
    yield { path, text: JSON.stringify(trace) };
    restore();
  }
}

function* leaves(json: Json, path: string): Generator<{ path: string; change: () => () => void }> {
  if (json === null || typeof json !== 'object') return;
  const holder = json as Record<string, Json>;
  for (const [key, value] of Object.entries(holder)) {
    if (['#meta', 'input', 'weightedVote'].includes(key)) continue;
    if (typeof value === 'object') yield* leaves(value, `${path}.${key}`);
    else {
      const change = () => {
        holder[key] = typeof value === 'boolean' ? !value : `${value}1`;
        return () => {
          holder[key] = value;
        };
      };
      yield { path: `${path}.${key}`, change };
    }
  }
}

describe('a trace of the specification', () => {
  const names = globSync('*.itf.json.gz', { cwd: FIXTURES }).sort();
  for (const name of names) {
    it(`is followed: ${name}`, () => {
      const { states, difference } = replayTrace(readTrace(join(FIXTURES, name)));
      assert.equal(difference, undefined);
      assert.ok(states >= 3);
    });
  }

  for (const name of ['consensus-decide-at-height-2', 'consensus-decide', 'votes-synchronous']) {
    it(`is not followed where anything in it is altered: ${name}`, () => {
      let count = 0;
      for (const { path, text } of altered(fixture(name))) {
        assert.notEqual(replayTrace(text).difference, undefined, path);
        count += 1;
      }
      assert.ok(count > 50);
    });
  }

  it('is not followed where a system’s round state, votes or outputs are altered', () => {
    const text = fixture('system-disagreement');
    for (const [from, to] of [
      ['"tag":"PrevoteStep"', '"tag":"PrecommitStep"'],
      ['"tag":"PolkaValueVKOutput"', '"tag":"PrecommitValueVKOutput"'],
      ['"tag":"DecidedOutput"', '"tag":"SkipRoundOutput"'],
      ['"tag":"PolkaAnyCInput"', '"tag":"PolkaNilCInput"'],
      ['"lockedRound":{"#bigint":"0"}', '"lockedRound":{"#bigint":"1"}'],
      ['"totalWeight":{"#bigint":"4"}', '"totalWeight":{"#bigint":"5"}'],
    ] as const) {
      assert.ok(text.includes(from), from);
      assert.notEqual(replayTrace(text.replace(from, to)).difference, undefined, from);
    }
  });

  it('says where it differs first', () => {
    const text = fixture('consensus-decide').replaceAll(
      '"tag":"CommitStep"',
      '"tag":"ProposeStep"',
    );
    const { states, difference } = replayTrace(text);
    assert.equal(states, 5);
    assert.match(difference ?? '', /^\.state\.step/);
  });

  for (const [name, text] of [
    ['no JSON', '{'],
    ['no trace', '{"vars":[]}'],
    ['a trace of another module', '{"states":[{"x":1}]}'],
    ['a state that is none', '{"states":[1]}'],
  ] as const) {
    it(`is not ${name}`, () => assert.throws(() => replayTrace(text), { name: 'TraceError' }));
  }

  it('may be of no variables, or stand still', () => {
    assert.equal(replayTrace('{"states":[{"#meta":{"index":0}}]}').difference, undefined);
    const trace = JSON.parse(fixture('consensus-decide')) as { states: Json[] };
    const [first] = trace.states;
    const still = { ...trace, states: [first, ...trace.states] } as Json;
    assert.equal(replayTrace(JSON.stringify(still)).difference, undefined);
  });
});
