import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planReporting, reportingSchema } from './reporting-config.ts';

const properties = ['env/temperature', 'env/humidity', 'cpu/temperature'];

function plans(rules: unknown) {
  return planReporting(reportingSchema.parse(rules), properties);
}

describe('[[reporting]]', () => {
  it('plans nothing where it is left out', () => {
    assert.equal(plans(undefined).size, 0);
  });

  it('takes the first rule that fits, and fills in the rest', () => {
    const planned = plans([
      { property: 'env/humidity', tolerance: 0.5, heartbeatSeconds: 30, predictor: 'linear' },
      { property: '*/temperature', tolerance: 0.1 },
      { property: 'env/*', tolerance: 9 },
      { property: 'fan/*', tolerance: 9 },
    ]);
    const temperature = { policy: { tolerance: 0.1, heartbeatMs: 600_000 }, predictor: 'auto' };
    assert.deepEqual(Object.fromEntries(planned), {
      'env/humidity': { policy: { tolerance: 0.5, heartbeatMs: 30_000 }, predictor: 'linear' },
      'env/temperature': temperature,
      'cpu/temperature': temperature,
    });
  });

  it('refuses a name that no sensor gives', () => {
    assert.throws(() => plans([{ property: 'env/pressure', tolerance: 1 }]), {
      code: 'reporting-unmatched',
      message: /reporting\.0\.property: no sensor gives env\/pressure; name one of env\/temp/,
    });
  });

  for (const [name, rule] of [
    ['a tolerance below 0', { property: 'a/x', tolerance: -1 }],
    ['a tolerance that is infinite', { property: 'a/x', tolerance: Infinity }],
    ['no tolerance', { property: 'a/x' }],
    ['a predictor it does not know', { property: 'a/x', tolerance: 1, predictor: 'oracle' }],
    ['a heartbeat of 0', { property: 'a/x', tolerance: 1, heartbeatSeconds: 0 }],
    ['a name without a slash', { property: 'x', tolerance: 1 }],
    ['a pattern within a name', { property: 'a/x*', tolerance: 1 }],
    ['an unknown key', { property: 'a/x', tolerance: 1, more: 1 }],
  ] as const) {
    it(`refuses ${name}`, () => assert.equal(reportingSchema.safeParse([rule]).success, false));
  }
});
