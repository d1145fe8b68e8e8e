import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openDatabase } from '#runtime/database/database.ts';
import { openCheckpointStore } from './checkpoint-store.ts';
import type { TrainingCheckpoint } from './training-run.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-checkpoints-'));
after(() => rmSync(root, { recursive: true }));

const checkpoint: TrainingCheckpoint = {
  run: 'ab12',
  steps: 70,
  openLoss: 0.1 + 0.2,
  epochLosses: [1 / 3, 2e-300],
  state: [
    { name: 'w', shape: [2, 1], data: Float32Array.of(0.1, -1e-40) },
    { name: 'diten/adam.t', shape: [], data: Float32Array.of(70) },
  ],
};

describe('the checkpoint store', () => {
  it('gives back what was saved last, also after it was opened again', () => {
    const file = join(root, 'kept.sqlite');
    {
      using store = openCheckpointStore(file);
      const slot = store.slot('round');
      assert.equal(slot.load(), undefined);
      slot.save({ ...checkpoint, steps: 10, epochLosses: [] });
      slot.save(checkpoint);
      assert.deepEqual(slot.load(), checkpoint);
      store.slot('other').save({ ...checkpoint, run: 'cd34' });
    }
    using store = openCheckpointStore(file);
    assert.deepEqual(store.slot('round').load(), checkpoint);
    store.slot('round').clear();
    assert.equal(store.slot('round').load(), undefined);
    assert.equal(store.slot('other').load()?.run, 'cd34');
  });

  it('knows where the data of a run end, and forgets other runs when told', () => {
    using store = openCheckpointStore(join(root, 'ends.sqlite'));
    assert.equal(store.dataEndOf('new'), undefined);
    store.slot('old', 11).save(checkpoint);
    store.slot('new', 12).save(checkpoint);
    assert.equal(store.dataEndOf('new'), 12);
    store.keepOnly('new');
    assert.equal(store.slot('old').load(), undefined);
    assert.deepEqual(store.slot('new').load(), checkpoint);
  });

  it('has none where the state in it is damaged', () => {
    const file = join(root, 'damaged.sqlite');
    using store = openCheckpointStore(file);
    store.slot('round').save(checkpoint);
    const other = openDatabase(file, { name: 'the same file', migrations: ['', ''] });
    other.exec(`UPDATE checkpoints SET state = x'00ff'`);
    other.close();
    assert.equal(store.slot('round').load(), undefined);
  });
});
