import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import type { JsonValue } from '#shared/twin/document/json.ts';
import type { ThingInput } from '#shared/twin/document/thing-step.ts';
import type { Sample } from '#shared/twin/sample.ts';
import { serveTwins } from '../api/api.fixture.ts';
import { reportedOf } from './thing-facts.ts';
import { ThingRoom } from './thing-room.ts';
import { TwinStore } from './twin-store.ts';

const EPOCH = '0123456789abcdef';
const SIZE_MAX = 2 ** 19;
const folder = mkdtempSync(join(tmpdir(), 'diten-flood-'));
after(() => rmSync(folder, { recursive: true }));

let file = '';
let files = 0;
beforeEach(() => {
  file = join(folder, `twins-${files++}.sqlite`);
});

const open = () => new TwinStore(file, { group: 'lab', nowMs: 0, sizeBytesMax: SIZE_MAX });

function delivery(device: string, first: number, property: (n: number) => string) {
  const samples = Array.from(
    { length: 500 },
    (_, n): Sample => ({
      ...{ sequence: first + n, property: property(n), timeMs: 1, value: first, quality: 'ok' },
    }),
  );
  return { device, message: { epoch: EPOCH, available: 1, samples } };
}

function put(path: string, value: JsonValue): ThingInput {
  return { kind: 'edited', nowMs: 1, by: 'ann', edit: { op: 'put', path, value } };
}

const sizeOf = (store: TwinStore) => JSON.stringify(store.all()).length;

/** Devices that invent as many properties as they may, with names as long as they may be. */
function flood(store: TwinStore): void {
  for (let device = 0; device < 20; device++) {
    const long = (n: number) => `${'f'.repeat(60)}-${n % 50}/${'p'.repeat(60)}-${n}`;
    const [acknowledged] = store.commit([delivery(`d${device}`, 1, long)], 1);
    assert.equal(acknowledged?.committed.sequence, 500);
  }
}

describe('a flood', () => {
  it('of properties ends where all things have their room, and no sample is lost', () => {
    using store = open();
    flood(store);
    assert.ok(sizeOf(store) <= SIZE_MAX && sizeOf(store) > SIZE_MAX / 2);
    assert.ok(store.size < 20 && store.samplesOf('d19') === 500);
    const known = Object.keys(store.get('d0')!.features)[0]!;
    const [name] = Object.keys(store.get('d0')!.features[known]!.properties);
    const mixed = (n: number) => (n === 0 ? `${known}/${name}` : `new/p-${n}`);
    store.commit([delivery('d0', 501, mixed)], 2);
    assert.equal(reportedOf(store.get('d0')!, `${known}/${name}`)?.value, 501);
    assert.equal(store.get('d0')!.features.new, undefined);
  });

  it('leaves room for presence, and for what makes things smaller', async () => {
    using store = open();
    store.change('mine', put('', { attributes: { text: 'x'.repeat(20_000) } }));
    flood(store);
    const units = Object.fromEntries(
      Array.from({ length: 1000 }, (_, n) => [`f/${'u'.repeat(100)}-${n}`, 'Cel']),
    );
    store.change('d0', { kind: 'presence', online: true, units, nowMs: 2 });
    assert.equal(store.get('d0')!.presence.online, true);
    assert.ok(sizeOf(store) <= SIZE_MAX);
    await using http = await serveTwins({ twins: store, clock });
    const answer = async (length: number) => {
      const { status } = await fetch(`${http.url}/api/2/things/lab:mine/attributes/text`, {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify('y'.repeat(length)),
      });
      return status;
    };
    assert.deepEqual([await answer(200_000), await answer(10_000)], [507, 204]);
  });

  it('ends where something is deleted, for as much', () => {
    using store = open();
    const large = put('', { attributes: { text: 'x'.repeat(200_000) } });
    const change = (device: string, input = large) => store.change(device, input).ok;
    assert.deepEqual([change('a'), change('b'), change('c')], [true, true, false]);
    const deletion = { op: 'delete', path: '' } as const;
    assert.ok(change('a', { kind: 'edited', nowMs: 1, by: 'ann', edit: deletion }));
    assert.deepEqual([change('c'), change('d')], [true, false]);
  });

  it('is not counted on for what is forgotten', () => {
    const room = new ThingRoom(100);
    room.set('a', 80);
    room.delete('a');
    assert.ok(room.admits('b', 100) && !room.admits('b', 101));
  });

  it('is known again after a start', () => {
    {
      using store = open();
      flood(store);
    }
    using store = open();
    assert.deepEqual(store.change('late', put('', { attributes: { text: 'x'.repeat(200_000) } })), {
      ok: false,
      error: {
        code: 'no-room',
        message: 'all things together are as large as this node lets them be',
      },
    });
  });
});
