import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { feedbackRulesSchema } from './feedback-rule.ts';

function issues(...rules: object[]): string {
  const parsed = feedbackRulesSchema.safeParse(rules);
  if (parsed.success) return 'was accepted';
  return parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
}

const threshold = { property: 'env/temperature', above: 30, clear: 28 };
const set = { property: 'warning/on', value: true, otherwise: false };
const hot = { name: 'hot', threshold, set };

function reads(path: string) {
  return { name: 'a', when: `exists(${path})`, set };
}

function link(name: string, from: string, to: string) {
  return { name, threshold: { property: from, above: 1 }, set: { property: to, value: 1 } };
}

describe('feedback rules', () => {
  it('have defaults, and their conditions are read', () => {
    const when = 'gt(features/forecast/properties/anomaly-score,3)';
    const siren = { device: 'siren', property: 'horn/on', value: 1 };
    const odd = { name: 'odd', device: 'mote-1', when, holdMs: 500, set: siren };
    const parsed = feedbackRulesSchema.parse([hot, odd]);
    assert.deepEqual(parsed[0], { ...hot, device: '*', holdMs: 0, releaseMs: 1000 });
    assert.deepEqual(parsed[1]?.when, {
      kind: 'gt',
      property: ['features', 'forecast', 'properties', 'anomaly-score'],
      value: 3,
    });
  });

  const bounds = (change: object) => ({ ...hot, threshold: { property: 'a/b', ...change } });
  for (const [name, rules, expected] of [
    ['no condition', [{ name: 'a', set }], /0: give one of when and threshold/],
    ['two conditions', [{ ...hot, when: 'exists(x)' }], /0: give one of when/],
    ['an end without its beginning', [{ ...hot, until: 'exists(x)' }], /until goes with when/],
    ['bad RQL', [{ name: 'a', when: 'gt(x', set }], /0\.when: RQL, at character 4/],
    ['two bounds', [bounds({ above: 1, below: 2 })], /0\.threshold: give one of above and below/],
    ['no bound', [bounds({})], /give one of above and below/],
    ['a clear on the wrong side', [bounds({ below: 1, clear: 0 })], /clear must be/],
    ['flapping', [{ ...bounds({ above: 1 }), releaseMs: 0 }], /switch with every reading/],
    ['flapping by RQL', [{ ...reads('features/x'), releaseMs: 0 }], /switch with every reading/],
    ['an unknown key', [{ ...hot, colour: 1 }], /colour/],
    ['a date for a value', [{ ...hot, set: { ...set, value: new Date(0) } }], /0\.set\.value/],
    ['a name twice', [hot, { ...hot, set: { property: 'x/y', value: 1 } }], /1: two rules/],
    ['one property set by two', [hot, { ...hot, name: 'b' }], /1: b and hot set warning\/on/],
    ['more than it has room for', new Array(101).fill(hot), /expected array to have <=100/],
    ['reading what it sets', [reads('features/warning/properties/on')], /a -> a/],
    ['reading what it desires', [reads('features/warning/desiredProperties/on')], /a -> a/],
    ['reading around what it sets', [reads('features/warning')], /a -> a/],
    ['reading inside what it sets', [reads('features/warning/properties/on/x')], /a -> a/],
    ['reading any feature', [reads('features/*/properties/on')], /a -> a/],
    ['reading the revision', [reads('_revision')], /a -> a/],
    [
      'a loop by its end',
      [{ ...reads('attributes/x'), until: 'exists(features/warning/properties/on)' }],
      /a -> a/,
    ],
    [
      'a loop by way of others',
      [
        link('a', 'x/in', 'y/in'),
        link('b', 'y/in', 'z/in'),
        { ...link('c', '', 'x/in'), threshold: undefined, when: 'not(exists(features/z))' },
      ],
      /0: .*a -> b -> c -> a/,
    ],
    [
      'a loop through a device that it names',
      [{ ...reads('features/warning/properties/on'), set: { ...set, device: 'siren' } }],
      /a -> a/,
    ],
  ] as const) {
    it(`refuses ${name}`, () => assert.match(issues(...rules), expected));
  }

  it('takes a chain that does not come back, and other devices', () => {
    assert.equal(issues(link('a', 'x/in', 'y/in'), link('b', 'y/in', 'z/in')), 'was accepted');
    const apart = reads('features/warning/properties/on');
    const rule = { ...apart, device: 'mote-1', set: { ...set, device: 'siren' } };
    assert.equal(issues(rule), 'was accepted');
  });
});
