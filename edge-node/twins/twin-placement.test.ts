import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createManualClock, type ManualClock } from '#runtime/clock/manual-clock.ts';
import { createEvents, type Events } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { fail, ok } from '#shared/basics/result.ts';
import { keyIdOf } from '#shared/identity/keys.ts';
import { seededSigner } from '#shared/identity/seeded-signer.ts';
import { change } from '#shared/ledger/contract/state.ts';
import type { LearningLedger } from '../federation/learning-ledger.ts';
import { TwinPlacement } from './twin-placement.ts';
import { TwinStore } from './twin-store.ts';

const TICK_MS = 500;

describe('placement of twins', () => {
  let clock: ManualClock;
  let twins: TwinStore;
  let events: Events;
  let placement: TwinPlacement;
  const state = new Map();
  const submitted: unknown[] = [];
  let isUp = true;

  const ledger: LearningLedger = {
    node: { name: 'edge-1', keyId: keyIdOf(seededSigner(1).publicKey) },
    state,
    async submit(content) {
      submitted.push(content.body);
      if (!isUp) return fail('no-quorum', 'nobody is there');
      assert.equal(content.type, 'twin.place');
      if (content.type === 'twin.place') taken(content.body.edge, content.body.epoch);
      return ok({ outcome: 'accepted' });
    },
    onCommit: () => undefined,
  };

  function taken(edge: string, epoch: number) {
    state.set(...change('twin', 'mote-1', { edge, epoch }));
  }

  function goes(online: boolean) {
    twins.change('mote-1', { kind: 'presence', online, units: {}, nowMs: 0 });
  }

  async function tick() {
    clock.advance(TICK_MS);
    await new Promise(setImmediate);
  }

  beforeEach(() => {
    clock = createManualClock();
    events = createEvents(silentLog, clock);
    twins = new TwinStore(':memory:', { group: 'lab', nowMs: 0 });
    isUp = true;
    state.clear();
    submitted.length = 0;
    placement = new TwinPlacement({ ledger, twins, clock, events });
  });
  afterEach(() => {
    placement[Symbol.dispose]();
    twins[Symbol.dispose]();
  });

  it('takes the twin of a device that comes online, once', async () => {
    await tick();
    goes(true);
    await tick();
    await tick();
    assert.deepEqual(submitted, [{ device: 'mote-1', edge: 'edge-1', epoch: 1 }]);
    assert.ok(placement.isHere('mote-1'));
  });

  it('leaves it to an edge node that takes it later, until the device comes back', async () => {
    goes(true);
    await tick();
    taken('edge-2', 2);
    await tick();
    assert.equal(submitted.length, 1);
    assert.ok(!placement.isHere('mote-1'));
    goes(false);
    await tick();
    goes(true);
    await tick();
    assert.deepEqual(submitted.at(-1), { device: 'mote-1', edge: 'edge-1', epoch: 3 });
  });

  it('tries again while the ledger does not take it', async () => {
    isUp = false;
    goes(true);
    await tick();
    await tick();
    assert.equal(events.counts()['twin-not-placed'], submitted.length);
    assert.ok(submitted.length >= 2);
    isUp = true;
    await tick();
    assert.ok(placement.isHere('mote-1'));
  });
});
