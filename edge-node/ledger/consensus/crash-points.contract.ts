import assert from 'node:assert/strict';
import type { Loss } from './crash-lab.fixture.ts';
import { CrashScript, HEIGHTS } from './crash-script.fixture.ts';

export const losses: readonly Loss[] = ['kill', 'lost write', 'torn write'];

/** How many points there are until the last height is decided. */
export async function countPoints(): Promise<number> {
  using script = new CrashScript(0, 'kill');
  await script.cooperate();
  assert.equal(script.machine.store.chain.head.height, HEIGHTS);
  return script.points;
}

/**
 * Stops a validator at that point, starts it again from what is left, and has its peers tempt it:
 * it signs nothing that contradicts what it signed before, and comes to the same state.
 */
export async function crashAt(point: number, loss: Loss): Promise<void> {
  using script = new CrashScript(point, loss);
  await script.cooperate();
  assert.ok(script.machine.points.isCrashed, 'the machine was stopped');
  // What a transaction has written is on the disk: elsewhere nothing is left to lose.
  if (loss === 'lost write' && !script.machine.points.isCommitted) return;
  script.restart();
  await script.tempt(point % 4 < 2 ? 'as usual' : 'later rounds first');
  await script.finish();
  const { machine, chain } = script;
  const where = `${loss} at point ${point}`;
  assert.deepEqual(script.conflicts, [], `${where}: signed two different things`);
  assert.equal(machine.engine.status.trouble, undefined, where);
  assert.equal(machine.store.chain.head.height, HEIGHTS, `${where}: it did not catch up`);
  assert.equal(machine.store.chain.stateDigest, chain.stateDigest, where);
  // What is on the disk leads to the same signatures, so that the guard never has to refuse one.
  const counts = machine.events.counts();
  for (const code of ['sign-conflict', 'sign-regression', 'key-signed-elsewhere']) {
    assert.equal(counts[code], undefined, `${where}: ${code}`);
  }
}
