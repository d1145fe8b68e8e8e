import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { openDatabase, openDatabaseReadOnly } from '#runtime/database/database.ts';
import type { JsonValue } from '#shared/twin/document/json.ts';
import type { ThingInput } from '#shared/twin/document/thing-step.ts';
import { twinSchema } from './twin-schema.ts';
import { TwinStore } from './twin-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-changes-'));
after(() => rmSync(folder, { recursive: true }));

let file = '';
let files = 0;
beforeEach(() => {
  file = join(folder, `twins-${files++}.sqlite`);
});

const open = () => new TwinStore(file, { group: 'lab', nowMs: 0 });

function put(path: string, value: JsonValue): ThingInput {
  return { kind: 'edited', nowMs: 1, by: 'ann', edit: { op: 'put', path, value } };
}

describe('changes asked for in one turn', () => {
  it('see what those before them left, and are durable when they are answered', async () => {
    using store = open();
    const seen: (number | undefined)[] = [];
    const changes = [1, 2, 3].map((n) =>
      store.changeSoon('a', ({ thing, thingCount }) => {
        seen.push(thing?.revision, thingCount);
        return put('', { attributes: { n } });
      }),
    );
    assert.equal(store.get('a'), undefined);
    const results = await Promise.all(changes);
    assert.deepEqual(
      results.map((result) => result.ok && result.value.revision),
      [1, 2, 3],
    );
    assert.deepEqual(seen, [undefined, 0, 1, 1, 2, 1]);
    const other = openDatabaseReadOnly(file, twinSchema);
    const stored = other.prepare('SELECT state FROM things').pluck().get() as string;
    other.close();
    assert.deepEqual(JSON.parse(stored).attributes, { n: 3 });
  });

  it('fail each by itself where they are refused', async () => {
    using store = open();
    const outcomes = await Promise.allSettled([
      store.changeSoon('a', () => put('', {})),
      store.changeSoon('b', () => {
        throw new Error('not now');
      }),
      store.changeSoon('c', () => put('/attributes/x', 1)),
      store.changeSoon('d', () => put('', {})),
    ]);
    assert.deepEqual(
      outcomes.map((each) => (each.status === 'rejected' ? 'rejected' : each.value.ok)),
      [true, 'rejected', false, true],
    );
    assert.deepEqual(
      store.all().map(({ thingId }) => thingId),
      ['lab:a', 'lab:d'],
    );
  });

  it('are not made, any of them, where the commit fails', async () => {
    using store = open();
    const changes = ['a', 'b'].map((device) => store.changeSoon(device, () => put('', {})));
    store.onCommit(() => assert.fail('nobody is to hear of it'));
    // The statement that keeps things fails at the first.
    const other = openDatabase(file, twinSchema);
    other.exec('ALTER TABLE things RENAME TO elsewhere');
    const outcomes = await Promise.allSettled(changes);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal(store.size, 0);
    other.exec('ALTER TABLE elsewhere RENAME TO things');
    other.close();
  });

  it('are committed before the store is closed', async () => {
    const store = open();
    const change = store.changeSoon('a', () => put('', {}));
    store[Symbol.dispose]();
    assert.ok((await change).ok);
    using again = open();
    assert.equal(again.size, 1);
  });

  it('count what exists, not what was deleted', async () => {
    using store = open();
    store.change('a', put('', {}));
    store.change('a', { kind: 'edited', nowMs: 2, by: 'ann', edit: { op: 'delete', path: '' } });
    assert.equal(store.size, 0);
    let counted: number | undefined;
    await store.changeSoon('b', ({ thingCount }) => {
      counted = thingCount;
      return put('', {});
    });
    assert.deepEqual([counted, store.size], [0, 1]);
    store.change('a', put('', {}));
    assert.equal(store.size, 2);
  });
});
