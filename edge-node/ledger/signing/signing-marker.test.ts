import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { SigningMarker } from './signing-marker.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-marker-'));
after(() => rmSync(folder, { recursive: true }));

const store = { genesis: 'ab'.repeat(32), run: 'one', runsBefore: ['one'], hasSigned: true };

/** Marks in a process that may write so many bytes to a file: as on a disk that fills up. */
function markWithin(sizeBytesMax: number, file: string): string {
  const module = JSON.stringify(join(import.meta.dirname, 'signing-marker.ts'));
  const code = `import { SigningMarker } from ${module};
    const store = { ...${JSON.stringify(store)}, run: 'two' };
    try { new SigningMarker(${JSON.stringify(file)}, store); }
    catch (error) { console.error(error.code); }`;
  const node = [process.execPath, '--input-type=module', '-e', code];
  return spawnSync('prlimit', [`--fsize=${sizeBytesMax}:`, ...node])
    .stderr.toString()
    .trim();
}

it('leaves the marker as it is where a full disk takes only a part of the new one', (t) => {
  const file = join(folder, 'marker');
  new SigningMarker(file, { ...store, hasSigned: false });
  const before = readFileSync(file, 'utf8');
  if (spawnSync('prlimit', ['--version']).error !== undefined) return t.skip('no prlimit here');
  assert.equal(markWithin(20, file), 'EFBIG');
  assert.equal(readFileSync(file, 'utf8'), before);
  assert.ok(new SigningMarker(file, store).isTrusted);
});
