import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import type { Sample } from '#shared/twin/sample.ts';
import { serveTwins } from '../api/api.fixture.ts';
import { TwinStore } from './twin-store.ts';

const EPOCH = '0123456789abcdef';
const folder = mkdtempSync(join(tmpdir(), 'diten-full-'));
/** A disk of its own, which only root can make. */
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]).status === 0;
after(() => {
  if (mounted) spawnSync('umount', [folder]);
  rmSync(folder, { recursive: true });
});

const [file, filler] = [join(folder, 'twins.sqlite'), join(folder, 'filler')];

function fillDisk(): void {
  const { bavail, bsize } = statfsSync(folder);
  writeFileSync(filler, Buffer.alloc(bavail * bsize));
}

function delivery(first: number, count = 500) {
  const samples = Array.from(
    { length: count },
    (_, i): Sample => ({
      ...{ sequence: first + i, property: 'env/t', timeMs: first + i, value: 1, quality: 'ok' },
    }),
  );
  return [{ device: 'a', message: { epoch: EPOCH, available: 1, samples } }];
}

/** Commits until it fails; what is acknowledged by then. */
function commitUntilFull(store: TwinStore, first: number): number {
  for (let next = first; ; next += 500) {
    try {
      store.commit(delivery(next), 1);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'SQLITE_FULL');
      return next - 1;
    }
  }
}

describe('a full disk', {
  skip: mounted ? false : 'a file system can be mounted by root alone',
}, () => {
  it('lets nothing be acknowledged that is not kept, and is got over', async () => {
    let acknowledged: number;
    {
      using store = new TwinStore(file, { group: 'lab', nowMs: 0 });
      await using http = await serveTwins({ twins: store, clock });
      const put = async (body: object) =>
        await fetch(`${http.url}/api/2/things/lab:b/attributes`, {
          method: 'PUT',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify(body),
        });
      store.change('b', {
        ...{ kind: 'edited', nowMs: 1, by: 'ann', edit: { op: 'put', path: '', value: {} } },
      });
      store.commit(delivery(1), 1);
      fillDisk();
      const told: string[] = [];
      store.onCommit(({ device }) => told.push(device));
      acknowledged = commitUntilFull(store, 501);
      assert.equal(store.committed('a', EPOCH).sequence, acknowledged);
      assert.equal(store.samplesOf('a'), acknowledged);
      const { revision } = store.get('b')!;
      told.splice(0);
      // Larger than what may be left of the file's last page.
      const refused = await put({ text: 'x'.repeat(20_000) });
      assert.equal(refused.status, 507);
      assert.equal(((await refused.json()) as { error: string }).error, 'api:storage.full');
      assert.deepEqual([store.get('b')!.revision, told], [revision, []]);
      assert.equal((await fetch(`${http.url}/api/2/things/lab:b`)).status, 200);

      rmSync(filler);
      store.commit(delivery(acknowledged + 1), 1);
      assert.equal((await put({ text: 'y' })).status, 204);
    }
    using store = new TwinStore(file, { group: 'lab', nowMs: 0 });
    assert.equal(store.committed('a', EPOCH).sequence, acknowledged + 500);
    const range = { fromMs: 0, toMs: 1e9, countMax: 1e6 };
    const kept = store.samples.between({ device: 'a', property: 'env/t' }, range);
    assert.equal(kept.length, acknowledged + 500);
    assert.deepEqual(store.get('b')!.attributes, { text: 'y' });
  });
});
