import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { breaches } from './breaches.ts';
import { names } from './names.ts';

describe('names', () => {
  for (const [path, message] of [
    ['shared/twin/twinStore.ts', 'twinStore is not in kebab-case'],
    ['shared/Twin/store.ts', 'Twin is not in kebab-case'],
    ['runtime/a_b.ts', 'a_b is not in kebab-case'],
    ['shared/utils/a.ts', 'utils says nothing'],
    ['edge-node/twin-helpers.ts', 'helpers says nothing'],
    ['edge-node/twin-manager.test.ts', 'manager says nothing'],
    ['scripts/index.ts', 'index says nothing'],
  ] as const) {
    it(`refuse ${path}`, () => {
      assert.deepEqual(breaches(names, { [path]: '' }), [`${path}:1 ${message}`]);
    });
  }

  for (const path of [
    'README.md',
    'shared/twin/twin-store.slow.test.ts',
    'edge-node/ledger/block-index.ts',
    'scripts/pinned-node/.npmrc',
    'scripts/launcher.mjs',
  ]) {
    it(`allow ${path}`, () => assert.deepEqual(breaches(names, { [path]: '' }), []));
  }
});
