import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createProject } from './project.ts';
import { reachedTests } from './reached-tests.ts';

const tree = {
  'shared/a.ts': '',
  'shared/b.ts': "import { a } from './a.ts';",
  'shared/a.test.ts': "import { a } from './a.ts';",
  'runtime/b.test.ts': "import type { B } from '#shared/b.ts';",
  'runtime/c.test.ts': "new Worker(new URL('../shared/b.ts', import.meta.url));",
  'runtime/d.test.ts': "import { d } from './d.ts';",
  'runtime/d.ts': "import { later } from './e.ts';",
  'runtime/e.ts': "const later = () => import('./d.ts');",
};
const { sources } = createProject(Object.entries(tree).map(([path, text]) => ({ path, text })));

for (const [changed, reached] of [
  [['shared/a.ts'], ['runtime/b.test.ts', 'runtime/c.test.ts', 'shared/a.test.ts']],
  [['shared/b.ts'], ['runtime/b.test.ts', 'runtime/c.test.ts']],
  [['runtime/e.ts'], ['runtime/d.test.ts']],
  [['shared/a.test.ts', 'README.md'], ['shared/a.test.ts']],
  [['shared/gone.test.ts'], []],
] as const) {
  it(`a change of ${changed} reaches ${reached.join(', ') || 'no test'}`, () => {
    assert.deepEqual(reachedTests(sources, changed), reached);
  });
}
