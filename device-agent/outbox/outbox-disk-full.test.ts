import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { isDiskFull } from '#runtime/database/database.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { startSampler } from '../sensors/sampler.ts';
import { createSimulatedSensor } from '../sensors/simulated.ts';
import { openOutbox } from './outbox.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-disk-full-'));
after(() => rmSync(folder, { recursive: true }));

/** What this process may write to a file from now on: `1` for nothing, `unlimited`. */
function limitFiles(sizeBytesMax: string): boolean {
  const args = ['--pid', String(process.pid), `--fsize=${sizeBytesMax}:`];
  return spawnSync('prlimit', args).status === 0;
}

const limits = { unacknowledgedMax: 1000, acknowledgedKept: 0 };
const turn = () => new Promise(setImmediate);

describe('an outbox on a full disk', () => {
  it('keeps what it has, counts the readings it could not take, and goes on', async (t) => {
    const file = join(folder, 'outbox.sqlite');
    const clock = createManualClock();
    {
      using outbox = openOutbox({ file, nowMs: 0, ...limits });
      await using _sampler = startSampler({
        sensors: [createSimulatedSensor({ property: 'count/a', periodMs: 10, from: 0 })],
        ...{ clock, log: silentLog },
        sink(readings) {
          const [{ timeMs, values }] = readings as [(typeof readings)[0]];
          outbox.append(values.map((each) => ({ ...each, timeMs })));
        },
        lost(readings, cause) {
          assert.ok(isDiskFull(cause));
          outbox.abandon(readings.flatMap(({ values }) => values));
        },
      });
      const sample = async (count: number) => {
        for (let i = 0; i < count; i++) {
          clock.advance(10);
          await turn();
        }
      };
      await sample(5);
      const { produced } = outbox.counts();
      assert.ok(produced >= 4);
      if (!limitFiles('1')) return t.skip('no prlimit here');
      try {
        await sample(7);
        outbox.acknowledge(2);
        assert.equal(outbox.counts().produced, produced);
        assert.equal(outbox.following(0, 99).length, produced);
        assert.equal(outbox.producedOf('count/a'), produced + 7);
      } finally {
        limitFiles('unlimited');
      }
      await sample(3);
      const after = { produced: produced + 10, acknowledged: 2, available: 3, dropped: 7 };
      assert.deepEqual(outbox.counts(), after);
    }
    using outbox = openOutbox({ file, nowMs: 0, ...limits });
    assert.deepEqual(outbox.dropped(), [{ property: 'count/a', rule: 'disk-full', count: 7 }]);
    const values = outbox.following(2, 99).map(({ value, sequence }) => sequence - value!);
    assert.deepEqual([...new Set(values)], [1]);
  });
});
