import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { runDiten, useFolder } from '../model/diten.fixture.ts';

const place = useFolder();

describe('diten bench twins', { timeout: 120_000 }, () => {
  it('measures an edge node, and goes on where there is no Mosquitto', async () => {
    const sizes = ['--seconds', '1', '--rounds', '1', '--twins', '30', '--devices', '3'];
    const others = ['--mosquitto', 'no-such', '--data', place.folder, '--json', 'b.json'];
    const { code, out, complaint } = await runDiten(
      ['bench', 'twins', ...sizes, ...others],
      place.folder,
    );
    assert.deepEqual([code, complaint], [0, '']);
    assert.match(out, /no ceiling: .*ENOENT.*apt-get install mosquitto/);
    const report = JSON.parse(readFileSync(place.path('b.json'), 'utf8'));
    const rates = ['updates', 'reads', 'propertyReads', 'edits', 'searches'];
    for (const name of rates) assert.ok(report[`${name}PerSecond`] > 0, name);
    const latencies = ['commit', 'read', 'propertyRead', 'edit', 'search', 'feedback'];
    for (const name of latencies) {
      const { p50, p99 } = report[`${name}LatencyMs`];
      assert.ok(p50 > 0 && p99 >= p50, name);
    }
    const { overload, ceiling, limits, within, memoryMB } = report;
    assert.equal(overload.missing, 0);
    assert.ok(overload.stored > 0);
    assert.match(ceiling.refused, /ENOENT/);
    assert.deepEqual(Object.keys(within), Object.keys(limits));
    assert.deepEqual([within.overload, within.memoryMB10000Twins], [true, null]);
    if (process.platform === 'linux') assert.ok(memoryMB.filled.pssMB > 0);
  });

  it('refuses wrong input', async () => {
    const { code, complaint } = await runDiten(['bench', 'twins', '--twins', '0'], place.folder);
    assert.equal(code, 2);
    assert.match(complaint, /whole twins/);
  });
});
