import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { breaches } from './breaches.ts';
import { documents } from './documents.ts';

const found = (text: string, path = 'README.md') =>
  breaches(documents, { 'shared/twin/twin.ts': '', 'docs/a.md': '', [path]: text });

describe('documents', () => {
  for (const [text, path] of [
    ['\nSee `shared/twin/gone.ts`.', 'shared/twin/gone.ts'],
    ['\nSee `#shared/gone/twin.ts`', 'shared/gone/twin.ts'],
    ['\nSee [the twin](shared/gone.ts#here).', 'shared/gone.ts'],
    ['\n[here](./docs/b.md)', 'docs/b.md'],
    ['```\nnode scripts/gone.ts --all\n```', 'scripts/gone.ts'],
    ['\n`shared/gone/*.test.ts`', 'shared/gone'],
  ] as const) {
    it(`refuse ${text.trim()}`, () => {
      assert.deepEqual(found(text), [`README.md:2 ${path} does not exist`]);
      assert.deepEqual(found(text, 'docs/notes.md'), []);
    });
  }

  it('allow paths that exist, patterns, addresses and what is no path', () => {
    const text = [
      '`shared/twin/twin.ts`, `shared/twin/`, `#shared/...`, `shared/…`, `shared/**`.',
      'shared/twin/{a,b}.ts',
      '[a](docs/a.md#b) [b](https://example.org/shared/x) [c](#d) `api/2/things` `node:assert/strict`',
    ];
    assert.deepEqual(found(text.join('\n')), []);
  });
});
