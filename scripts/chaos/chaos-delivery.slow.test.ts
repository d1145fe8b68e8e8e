import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ChaosReport } from './chaos-delivery.ts';

const DITEN = fileURLToPath(new URL('../diten.ts', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'diten-chaos-test-'));
after(() => rmSync(root, { recursive: true }));

async function chaos(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [DITEN, 'chaos', 'delivery', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const code = new Promise<number | null>((resolve) => child.on('close', resolve));
  const parts = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, output: parts.join('') };
}

describe('diten chaos delivery', { timeout: 200_000 }, () => {
  it('loses and doubles nothing, whatever is done to the programs', async () => {
    const json = join(root, 'report.json');
    const { code, output } = await chaos('--seconds', '20', '--seed', '3', '--json', json);
    assert.equal(code, 0, output);
    const report = JSON.parse(readFileSync(json, 'utf8')) as ChaosReport;
    const injected = Object.values(report.faults).reduce((sum, count) => sum + count, 0);
    assert.ok(injected >= 13, output);
    assert.deepEqual([report.seed, report.deaths, report.skipped], [3, [], []]);
    assert.equal(report.devices.length, 3);
    for (const device of report.devices) {
      const { produced, committed, droppedByRule, values } = device;
      assert.ok(committed > 200, output);
      assert.equal(produced - droppedByRule, committed);
      assert.deepEqual([values.missing, values.repeated], [0, 0]);
    }
  });

  for (const [args, said] of [
    [['--minutes', '0'], /whole number from 1/],
    [['--seconds', '2'], /whole number from 5/],
    [['--seed', 'x'], /whole number from 0/],
    [['--minutes', '1', '--seconds', '9'], /not both/],
    [['--seconds', '5', '--json', '/none/x.json'], /report cannot be written/],
    [['--bogus'], /unknown option/],
  ] as const) {
    it(`refuses ${args.join(' ')}`, async () => {
      const { code, output } = await chaos(...args);
      assert.equal(code, 2);
      assert.match(output, said);
    });
  }
});
