import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keyIdOf } from '#shared/identity/keys.ts';
import { exampleMember } from '#shared/ledger/chain.fixture.ts';
import { change } from '#shared/ledger/contract/state.ts';
import { EdgeMap } from './edge-map.ts';

it('goes by what the ledger says last of places and members', () => {
  const state = new Map<string, never>();
  const edges = new EdgeMap({ state, self: 'edge-1' });
  const commit = (...writes: (readonly [string, unknown])[]) => {
    for (const [key, value] of writes) state.set(key, value as never);
    edges.committed(new Map(writes as never));
  };
  assert.equal(edges.placeOf('mote'), undefined);
  assert.equal(edges.others().size, 0);

  const entry = { ...exampleMember(1), name: 'edge-2' };
  const keyId = keyIdOf(entry.publicKey);
  commit(change('twin', 'mote', { edge: 'edge-2', epoch: 1 }));
  assert.equal(edges.elsewhere('mote'), undefined, 'edge-2 is no member yet');
  commit(change('list', 'members', [keyId]), change('validator', keyId, { entry, sinceHeight: 0 }));
  assert.equal(edges.elsewhere('mote'), 'edge-2');
  assert.equal(edges.edgeOf(entry.peer), 'edge-2');

  commit(change('twin', 'mote', { edge: 'edge-1', epoch: 2 }));
  assert.equal(edges.elsewhere('mote'), undefined);
  commit(change('list', 'members', []));
  assert.equal(edges.peerOf('edge-2'), undefined);
});
