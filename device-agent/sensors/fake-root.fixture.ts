import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';

/** A folder that stands in for /sys or /proc. */
export interface FakeRoot {
  readonly root: string;
  write(path: string, text: string): void;
  link(path: string, target: string): void;
  remove(path: string): void;
}

/** Files by path under a new folder in the system's temporary one, removed after the tests. */
export function fakeRoot(files: Readonly<Record<string, string>> = {}): FakeRoot {
  const root = mkdtempSync(join(tmpdir(), 'diten-root-'));
  after(() => rmSync(root, { recursive: true, force: true }));
  const prepare = (path: string): string => {
    const full = join(root, path);
    mkdirSync(dirname(full), { recursive: true });
    return full;
  };
  const write = (path: string, text: string) => writeFileSync(prepare(path), text);
  for (const [path, text] of Object.entries(files)) write(path, text);
  return {
    root,
    write,
    link: (path, target) => symlinkSync(join(root, target), prepare(path)),
    remove: (path) => rmSync(join(root, path), { recursive: true }),
  };
}
