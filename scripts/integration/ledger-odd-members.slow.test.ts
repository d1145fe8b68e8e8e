import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { until } from './deadline.ts';
import { goOn, LedgerMembers } from './ledger-members.fixture.ts';
import { LedgerProcesses } from './ledger-processes.fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-odd-'));
after(() => rmSync(folder, { recursive: true, maxRetries: 5 }));
const HOUR_MS = 3_600_000;

describe('a member like no other', { timeout: 240_000 }, () => {
  for (const hours of [1, -1]) {
    it(`whose clock is off by ${hours} h takes part all the same`, async () => {
      const offMs = hours * HOUR_MS;
      await using chain = await LedgerMembers.create(join(folder, `clock${offMs}`), 4);
      const clock = { ...systemClock, nowMs: () => Date.now() + offMs };
      const members = [
        await chain.start(0),
        await chain.start(1),
        await chain.start(2),
        await chain.start(3, { clock }),
      ];
      const odd = members[3]!;
      for (let i = 0; i < 3; i++) await goOn(members);
      // A clock that is behind gives its blocks the next time there is after the head's.
      const untimely = () =>
        members.slice(0, 3).some((node) => node.count('proposal-untimely') > 0);
      if (offMs > 0) await until(untimely);
      const { timeMs } = odd.ledger.head;
      assert.ok(Math.abs(timeMs - Date.now()) < chain.genesis.clockToleranceMs);
      assert.equal(odd.ledger.status().signing, 'signing');
      assert.ok(members.every(({ network }) => network.connected().length === 3));
    });
  }

  it('which runs twice, from a copied folder, stops nobody but itself', async () => {
    await using chain = await LedgerProcesses.create(join(folder, 'copy'), 4);
    await chain.startAll();
    await chain.agree();
    const [first, second, third, original] = chain.edges;
    await original!.signal('SIGTERM');
    const copy = await chain.another('edge-4-copy', original);
    copy.start();
    original!.start();
    await chain.agree([first!, second!, third!]);
    await until(async () => {
      await chain.agree([first!, second!, third!]);
      const twins = await Promise.all([original!, copy].map((edge) => edge.until(() => true)));
      return twins.some(({ ledger }) => ['stopped', 'observing'].includes(ledger.signing));
    });
    for (const edge of [first!, second!, third!]) {
      const { ledger } = await edge.until(() => true);
      assert.equal(ledger.signing, 'signing');
    }
  });
});
