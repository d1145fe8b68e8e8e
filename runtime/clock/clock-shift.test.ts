import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClockShift } from './clock-shift.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-clock-'));
after(() => rmSync(folder, { recursive: true }));

it('shifts by what the file says now, and keeps to that where it says nothing', async () => {
  const file = join(folder, 'shift');
  const shift = createClockShift(file);
  assert.equal(shift(), 0);
  for (const [text, expected] of [
    ['86400000', 86_400_000],
    ['-5\n', -5],
    ['', -5],
    ['soon', -5],
    ['0', 0],
  ] as const) {
    writeFileSync(file, text);
    await sleep(60);
    assert.equal(shift(), expected);
  }
});
