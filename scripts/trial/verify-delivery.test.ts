import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, mock } from 'node:test';
import { openOutbox } from '#device-agent/outbox/outbox.ts';
import { outboxSchema } from '#device-agent/outbox/outbox-schema.ts';
import { twinSchema } from '#edge-node/twins/twin-schema.ts';
import { TwinStore } from '#edge-node/twins/twin-store.ts';
import { openDatabase } from '#runtime/database/database.ts';
import { verifyDelivery } from './verify-delivery.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-verify-'));
after(() => rmSync(root, { recursive: true }));

const outboxOf = (folder: string) => join(folder, 'mote-1', 'data', 'outbox.sqlite');
const twinsOf = (folder: string) => join(folder, 'edge-1', 'data', 'twins.sqlite');

/** A trial's folder with `produced` samples in the device, of which `delivered` are stored. */
function trialFolder(produced: number, delivered: number): string {
  const folder = mkdtempSync(join(root, 'trial-'));
  for (const file of [outboxOf(folder), twinsOf(folder)]) {
    mkdirSync(join(file, '..'), { recursive: true });
  }
  const programs = [
    { name: 'edge-1', kind: 'edge' },
    { name: 'mote-1', kind: 'device', edge: 'edge-1' },
  ];
  writeFileSync(join(folder, 'trial.json'), JSON.stringify({ programs }));
  const limits = { unacknowledgedMax: 1000, acknowledgedKept: 10 };
  using outbox = openOutbox({ file: outboxOf(folder), nowMs: 0, ...limits });
  outbox.append(
    Array.from({ length: produced }, (_, i) => ({
      ...{ property: 'a/b', timeMs: i, value: i, quality: 'ok' },
    })),
  );
  using store = new TwinStore(twinsOf(folder), { group: 'lab', nowMs: 0 });
  const { run, samples } = outbox.followingRun(0, delivered);
  const message = { epoch: outbox.epoch, available: 1, samples, run: run! };
  store.commit([{ device: 'mote-1', message }], 0);
  return folder;
}

/** The exit code, what was written to the file and what was said. */
function verify(folder: string): { code: number; device: object; said: string } {
  const json = join(folder, 'report.json');
  let said = '';
  const hear = (text: string | Uint8Array) => {
    said += text;
    return true;
  };
  const silenced = [process.stdout, process.stderr].map((stream) =>
    mock.method(stream, 'write', hear),
  );
  try {
    const code = verifyDelivery({ data: folder, json });
    return { code, device: JSON.parse(readFileSync(json, 'utf8')).devices[0], said };
  } finally {
    for (const each of silenced) each.mock.restore();
  }
}

function change(file: string, sql: string): void {
  const database = openDatabase(file, { name: 'any', migrations: Array(99).fill('') });
  const { migrations } = file.endsWith('outbox.sqlite') ? outboxSchema : twinSchema;
  database.exec(sql);
  database.pragma(`user_version = ${migrations.length}`);
  database.close();
}

describe('diten trial verify-delivery', () => {
  it('accounts for a trial that is still under way', () => {
    const { code, device, said } = verify(trialFolder(30, 20));
    assert.equal(code, 0);
    assert.deepEqual(device, {
      ...{ id: 'mote-1', produced: 30, committed: 20, droppedByRule: 0, drops: {} },
      ...{ waiting: 10, missing: 0, duplicated: 0 },
    });
    assert.match(said, /^device +produced .*\nmote-1 +30 +20 +0 +10 +0 +0$/m);
  });

  it('fails where a sample is missing', () => {
    const folder = trialFolder(30, 30);
    change(twinsOf(folder), 'DELETE FROM samples WHERE sequence IN (7, 8)');
    const { code, device, said } = verify(folder);
    assert.equal(code, 1);
    assert.partialDeepStrictEqual(device, { committed: 28, missing: 2, duplicated: 0 });
    assert.match(said, /mote-1: 2 samples are missing/);
  });

  it('counts what retention took out as committed', () => {
    const folder = trialFolder(30, 30);
    change(
      twinsOf(folder),
      'DELETE FROM samples WHERE sequence IN (1, 2); UPDATE streams SET removed = 2',
    );
    const { code, device } = verify(folder);
    assert.equal(code, 0);
    assert.partialDeepStrictEqual(device, { committed: 30, missing: 0, duplicated: 0 });
  });

  it('fails where a sample is stored twice, or was never produced', () => {
    const folder = trialFolder(30, 30);
    change(
      twinsOf(folder),
      `UPDATE samples SET (time_ms, value) = (3, 3) WHERE sequence = 20;
       INSERT INTO samples SELECT stream, 31, property, 99, 99, quality, NULL FROM samples
       WHERE sequence = 1`,
    );
    const { code, device } = verify(folder);
    assert.equal(code, 1);
    assert.partialDeepStrictEqual(device, { missing: 0, duplicated: 2 });
  });

  it('says what is wrong with a folder that is none, is damaged or of another version', () => {
    assert.throws(() => verify(join(root, 'none')), { code: 'no-trial' });
    const damaged = trialFolder(1, 1);
    writeFileSync(join(damaged, 'trial.json'), '{}');
    assert.throws(() => verify(damaged), { code: 'trial-unreadable' });
    const without = trialFolder(1, 1);
    rmSync(twinsOf(without));
    assert.throws(() => verify(without), { code: 'database-unreadable' });
    const noDatabase = trialFolder(1, 1);
    for (const suffix of ['-wal', '-shm']) rmSync(outboxOf(noDatabase) + suffix, { force: true });
    writeFileSync(outboxOf(noDatabase), 'no database\n'.repeat(999));
    assert.throws(() => verify(noDatabase), { code: 'database-corrupt' });
    for (const [version, code] of [
      [99, 'database-newer'],
      [1, 'database-older'],
    ] as const) {
      const other = trialFolder(1, 1);
      const database = openDatabase(outboxOf(other), {
        name: 'any',
        migrations: Array(99).fill(''),
      });
      database.pragma(`user_version = ${version}`);
      database.close();
      assert.throws(() => verify(other), { code });
    }
    const copied = join(root, 'copied');
    cpSync(trialFolder(5, 5), copied, { recursive: true });
    assert.equal(verify(copied).code, 0);
  });
});
