import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { type NewSample, type OutboxOptions, openOutbox } from './outbox.ts';
import { quotaRuleSchema } from './quota.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-quota-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

function options(more: Partial<OutboxOptions>): OutboxOptions {
  const file = join(folder, `${files++}.sqlite`);
  return { file, nowMs: 0, unacknowledgedMax: 1000, acknowledgedKept: 0, ...more };
}

function run(count: number, property: string, from = 0): NewSample[] {
  return Array.from({ length: count }, (_, i) => ({
    ...{ property, timeMs: from + i, value: from + i, quality: 'ok' },
  }));
}

const thin = [{ property: 'slow/*', drop: 'thin' as const }];

describe('quota of an outbox', () => {
  it('thins a stream evenly, however long the outage, and keeps its ends', () => {
    using outbox = openOutbox(options({ file: ':memory:', rules: thin }));
    for (let i = 0; i < 400; i++) outbox.append(run(50, 'slow/a', 50 * i));
    const kept = outbox.following(0, 20_000).map(({ timeMs }) => timeMs);
    assert.ok(kept.length <= 1000 && kept.length > 900, `${kept.length}`);
    assert.deepEqual([kept[0], kept.at(-1)], [0, 19_999]);
    const steps = kept.slice(1).map((timeMs, i) => timeMs - kept[i]!);
    assert.ok(Math.max(...steps) <= 64, `${Math.max(...steps)}`);
    const { produced, dropped } = outbox.counts();
    assert.equal(produced - dropped, kept.length);
    assert.deepEqual(outbox.dropped(), [{ property: 'slow/a', rule: 'thin', count: dropped }]);
  });

  it('lets the stream that holds most give way, by its own rule', () => {
    using outbox = openOutbox(options({ file: ':memory:', rules: thin }));
    outbox.append(run(100, 'rare/a'));
    for (let i = 0; i < 100; i++) {
      outbox.append(run(40, 'fast/a', 40 * i));
      outbox.append(run(20, 'slow/a', 20 * i));
    }
    const kept = Map.groupBy(outbox.following(0, 9999), ({ property }) => property);
    assert.equal(kept.get('rare/a')?.length, 100);
    assert.equal(kept.get('fast/a')?.at(0)?.value, 4000 - kept.get('fast/a')!.length);
    assert.equal(kept.get('slow/a')?.at(0)?.value, 0);
    const rules = outbox.dropped().map(({ property, rule }) => `${property} ${rule}`);
    assert.deepEqual(rules, ['fast/a oldest', 'slow/a thin']);
  });

  for (const rules of [thin, []]) {
    it(`leaves the newest of each property where it drops ${rules[0]?.drop ?? 'oldest'}`, () => {
      using outbox = openOutbox(options({ file: ':memory:', unacknowledgedMax: 50, rules }));
      for (let i = 0; i < 30; i++) {
        outbox.append([...run(9, 'slow/a', 9 * i), ...run(1, 'slow/b', i), ...run(7, 'slow/c')]);
        const held = outbox.following(0, 999);
        const newest = held.findLast(({ property }) => property === 'slow/a');
        assert.equal(newest?.value, 9 * i + 8);
        assert.equal(held.findLast(({ property }) => property === 'slow/b')?.value, i);
      }
    });
  }

  it('tells of no drops where nothing may go', () => {
    const rules = [{ property: '*/*', drop: 'thin' as const }, ...thin];
    using outbox = openOutbox(options({ file: ':memory:', unacknowledgedMax: 4, rules }));
    for (const property of ['a/a', 'a/b', 'a/c', 'a/d', 'a/e', 'a/f'])
      outbox.append(run(1, property));
    assert.deepEqual([outbox.dropped(), outbox.counts().dropped], [[], 0]);
  });

  it('does not drop what is under way', () => {
    using outbox = openOutbox(options({ file: ':memory:', unacknowledgedMax: 100 }));
    outbox.append(run(60, 'a/b'));
    outbox.sending(20);
    outbox.append(run(100, 'a/b'));
    const kept = outbox.following(0, 999).map(({ sequence }) => sequence);
    assert.deepEqual(
      kept.slice(0, 21),
      [...Array(20).keys(), 80].map((i) => i + 1),
    );
    assert.deepEqual(outbox.counts(), {
      produced: 160,
      acknowledged: 0,
      available: 1,
      dropped: 60,
    });
  });

  it('does not drop after a restart what was under way, however far apart it lies', () => {
    const given = options({ unacknowledgedMax: 100 });
    let underWay = 0;
    {
      using outbox = openOutbox(given);
      outbox.append(run(30, 'a/b'));
      outbox.sending(2);
      outbox.append(run(900, 'a/b', 30));
      underWay = outbox.followingRun(2, 500).samples.at(-1)!.sequence;
      assert.ok(underWay > 800, `${underWay}`);
      outbox.sending(underWay);
    }
    using outbox = openOutbox(given);
    outbox.append(run(900, 'a/b', 930));
    assert.equal(outbox.following(underWay - 1, 1)[0]?.sequence, underWay);
  });

  it('sends thinned samples no further ahead than others', () => {
    const given = options({ rules: thin });
    {
      using outbox = openOutbox(given);
      for (let i = 0; i < 100; i++) outbox.append(run(100, 'slow/a', 100 * i));
    }
    using outbox = openOutbox(given);
    const { samples } = outbox.followingRun(0, 500);
    const last = samples.at(-1)!.sequence;
    assert.ok(samples.length > 10 && last <= outbox.sendAheadMax, `${samples.length} to ${last}`);
    outbox.sending(last);
    outbox.acknowledge(last);
    assert.ok(outbox.followingRun(last, 500).samples.length > 10);
  });

  it('keeps the file within its size', () => {
    const sizeBytesMax = 2 ** 20;
    const given = options({ unacknowledgedMax: 1_000_000, sizeBytesMax, rules: thin });
    using outbox = openOutbox(given);
    for (let i = 0; i < 60; i++) outbox.append(run(1000, i % 2 ? 'slow/a' : 'fast/a', 1000 * i));
    const { produced, dropped } = outbox.counts();
    assert.equal(outbox.following(0, produced).length, produced - dropped);
    assert.ok(produced - dropped > 5000, `${produced - dropped}`);
    assert.ok(statSync(given.file).size <= 1.25 * sizeBytesMax);
  });

  it('remembers what it dropped, and counts what a full disk kept out', () => {
    const given = options({ unacknowledgedMax: 100 });
    {
      using outbox = openOutbox(given);
      outbox.append(run(130, 'a/b'));
      outbox.abandon(run(7, 'a/c'));
      outbox.append(run(1, 'a/b'));
      outbox.abandon(run(2, 'a/b'));
      assert.equal(outbox.producedOf('a/b'), 133);
    }
    using outbox = openOutbox(given);
    assert.deepEqual(outbox.dropped(), [
      { property: 'a/b', rule: 'disk-full', count: 2 },
      { property: 'a/b', rule: 'oldest', count: 31 },
      { property: 'a/c', rule: 'disk-full', count: 7 },
    ]);
    assert.deepEqual([outbox.counts().produced, outbox.counts().dropped], [140, 40]);
    assert.deepEqual([outbox.producedOf('a/b'), outbox.producedOf('a/c')], [133, 7]);
  });

  for (const property of ['*/*', 'a/*', '*/b', 'a/b']) {
    it(`takes the pattern ${property}`, () => {
      const rules = [quotaRuleSchema.parse({ property, drop: 'thin' })];
      using outbox = openOutbox(options({ file: ':memory:', unacknowledgedMax: 10, rules }));
      outbox.append(run(20, 'a/b'));
      assert.equal(outbox.dropped()[0]?.rule, 'thin');
    });
  }

  for (const property of ['*', 'a', 'a/b/c', 'A/b', 'a*/b', '/']) {
    it(`refuses the pattern ${property}`, () => {
      assert.ok(!quotaRuleSchema.safeParse({ property, drop: 'thin' }).success);
    });
  }
});
