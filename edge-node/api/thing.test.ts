import assert from 'node:assert/strict';
import { it } from 'node:test';
import { newThing } from '#shared/twin/document/thing.ts';
import { shownThing } from './thing.ts';

it('a thing says whether its device is seen live, what died when, and what it gave up', () => {
  const thing = newThing('lab:mote-1', '0'.repeat(16));
  const dead = [{ feature: 'forecast', sinceMs: 2000 }];
  const shown = shownThing(thing, 5000, {
    live: { state: 'born', sinceMs: 1000, dead },
    dropped: { thin: 7 },
  });
  assert.deepEqual(shown._metadata, {
    features: {},
    dropped: { thin: 7 },
    sparkplug: {
      state: 'born',
      since: '1970-01-01T00:00:01.000Z',
      features: { forecast: { state: 'dead', since: '1970-01-01T00:00:02.000Z' } },
    },
  });
  assert.deepEqual(shownThing(thing, 5000)._metadata, { features: {} });
});
