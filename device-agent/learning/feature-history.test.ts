import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { openOutbox } from '../outbox/outbox.ts';
import { Reporter } from '../reporting/reporter.ts';
import type { PropertyPlan } from '../reporting/reporting-config.ts';
import type { Reading } from '../sensors/sensor.ts';
import { recallFeatures } from './feature-history.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-features-'));
after(() => rmSync(folder, { recursive: true }));

const properties = ['env/temperature', 'env/humidity'];
const features = properties.map((property) => ({ property, scale: 1 }));

const readings = Array.from({ length: 300 }, (_, i): Reading => {
  const values = properties.map((property, k) => ({
    property,
    value: Math.sin(i / 9 + k),
    quality: i % 50 === 49 ? ('range' as const) : ('ok' as const),
  }));
  return { timeMs: 1000 * i, values };
});

function recalled(reported: readonly string[]) {
  const policy = { tolerance: 0.5, heartbeatMs: 1e6 };
  const plans = new Map(
    reported.map((name): [string, PropertyPlan] => [name, { policy, predictor: 'hold' }]),
  );
  using outbox = openOutbox({
    ...{ file: join(folder, `${reported.length}.sqlite`), nowMs: 0 },
    ...{ unacknowledgedMax: 10_000, acknowledgedKept: 1000 },
  });
  const reporter = new Reporter(plans, outbox);
  const step = reporter.take(readings);
  outbox.append(step.taken, step.kept);
  reporter.keep(step);
  const { produced } = outbox.counts();
  return { produced, record: recallFeatures(outbox, { features }, { count: 200 }) };
}

it('what is learned from is the same whether all of it was sent or a part', () => {
  const whole = recalled([]);
  assert.equal(whole.produced, 600);
  assert.equal(whole.record.length, 196);
  for (const reported of [properties.slice(1), properties]) {
    const part = recalled(reported);
    assert.ok(part.produced < 400);
    assert.deepEqual(part.record, whole.record);
  }
});
