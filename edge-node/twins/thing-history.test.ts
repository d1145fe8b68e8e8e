import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openDatabase } from '#runtime/database/database.ts';
import { stepThing } from '#shared/twin/document/step-thing.ts';
import { newThing } from '#shared/twin/document/thing.ts';
import { ThingHistory } from './thing-history.ts';
import { twinSchema } from './twin-schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-history-'));
after(() => rmSync(folder, { recursive: true }));

describe('thing history', () => {
  it('keeps the newest revisions of a thing, and of them every content', () => {
    const database = openDatabase(join(folder, 'history.sqlite'), twinSchema);
    const history = new ThingHistory(database);
    let thing = newThing('lab:a', '0'.repeat(16));
    database.transaction(() => {
      for (let revision = 1; revision <= 26_200; revision++) {
        const edit = { op: 'put', path: '', value: { attributes: { revision } } } as const;
        const input = { kind: 'edited', nowMs: revision, by: 'ann', edit } as const;
        const stepped = stepThing(thing, input);
        assert.ok(stepped.ok);
        thing = stepped.value.thing;
        for (const effect of stepped.value.effects) {
          if (effect.kind === 'record') history.record('a', effect.entry, thing);
        }
      }
    })();
    const count = database.prepare('SELECT count(*) FROM revisions').pluck();
    // 26,112 is the newest multiple of 256; 25,600 before it are kept.
    assert.equal(count.get(), 26_200 - 512);
    assert.equal(history.at('a', 511), undefined);
    assert.equal(history.revisionAt('a', 511), undefined);
    for (const revision of [512, 513, 9000, 26_112, 26_200]) {
      assert.deepEqual(history.at('a', revision)?.content?.attributes, { revision });
      assert.equal(history.revisionAt('a', revision), revision);
    }
    assert.deepEqual(history.positions(), { oldest: 513, newest: 26_200 });
    database.close();
  });
});
