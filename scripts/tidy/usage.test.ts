import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { breaches } from './breaches.ts';
import { usage } from './usage.ts';

const lonely = 'shared/lonely.ts:1 nobody imports or starts this';

describe('usage', () => {
  it('refuses a file that only itself and documents name', () => {
    const text = "import { a } from './lonely.ts';\n// shared/lonely.ts";
    const tree = { 'shared/lonely.ts': text, 'README.md': 'See shared/lonely.ts' };
    assert.deepEqual(breaches(usage, tree), [lonely]);
  });

  for (const [path, text] of [
    ['shared/a.test.ts', "import { a } from './lonely.ts';"],
    ['runtime/a.test.ts', "import type { A } from '#shared/lonely.ts';"],
    ['shared/a.test.ts', "new Worker(new URL('lonely.ts', import.meta.url));"],
    ['package.json', '{ "bin": "shared/lonely.ts" }'],
    ['.ci/run', 'node shared/lonely.ts'],
  ] as const) {
    it(`allows one that ${path} names: ${text}`, () => {
      assert.deepEqual(breaches(usage, { 'shared/lonely.ts': '', [path]: text }), []);
    });
  }
});
