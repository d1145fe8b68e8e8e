import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { runDiten, useFolder } from '../model/diten.fixture.ts';

const place = useFolder();

describe('diten bench ledger', () => {
  it('measures four validators, and goes on where there is no CometBFT', async () => {
    const args = [
      'bench',
      'ledger',
      '--seconds',
      '2',
      '--rounds',
      '1',
      '--cometbft',
      'no-such',
      '--json',
      'b.json',
    ];
    const { code, out, complaint } = await runDiten(args, place.folder);
    assert.deepEqual([code, complaint], [0, '']);
    assert.match(out, /cometbft takes no part: no-such: .*ENOENT/);
    const report = JSON.parse(readFileSync(place.path('b.json'), 'utf8'));
    const { latency, throughput, idle, catchUp, revocation, proof, alternative } = report;
    assert.ok(latency.p50Ms > 0 && latency.p99Ms >= latency.p50Ms);
    assert.ok(throughput.perSecond > 0 && throughput.p99Ms > 0);
    if (process.platform === 'linux') assert.ok(idle.cpuPercent >= 0 && idle.rssMb > 0);
    assert.ok(catchUp.awaySeconds === 2 && catchUp.seconds > 0 && catchUp.heights > 0);
    assert.ok(revocation.count > 0 && revocation.worstMs >= revocation.p50Ms);
    assert.equal(proof.records, 1_000_000);
    assert.ok(proof.sizeBytes <= 4096, 'a proof out of a million records takes 4 KB at most');
    assert.match(alternative.refused, /ENOENT/);
  });

  it('refuses wrong input', async () => {
    const { code, complaint } = await runDiten(['bench', 'ledger', '--seconds', '0'], place.folder);
    assert.equal(code, 2);
    assert.match(complaint, /whole seconds/);
  });
});
