import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { assertions } from '#shared/sparkplug/conformance/grade.ts';
import { undecided } from '#shared/sparkplug/conformance/undecided.ts';
import { conformanceDocument, describeConformance } from './conformance-document.ts';

it('the page of conformance says what the table of assertions says', () => {
  const page = readFileSync(conformanceDocument, 'utf8');
  assert.ok(page === describeConformance(), 'run node scripts/doctor/conformance-document.ts');
});

it('every MUST for edge nodes and host applications has a test by its id', () => {
  const root = join(import.meta.dirname, '../..');
  const tested = new Set<string>();
  for (const folder of ['shared/sparkplug', 'edge-node/sparkplug']) {
    for (const name of readdirSync(join(root, folder))) {
      if (!name.endsWith('.test.ts')) continue;
      const text = readFileSync(join(root, folder, name), 'utf8');
      for (const [id] of text.matchAll(/tck-id-[\w-]+/g)) tested.add(id);
    }
  }
  const musts = [...assertions, ...undecided].filter(({ level }) => level === 'MUST');
  const untested = musts.map(({ id }) => id).filter((id) => !tested.has(id));
  assert.ok(musts.length > 260);
  assert.deepEqual(untested, []);
});
