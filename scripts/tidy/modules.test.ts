import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { breaches } from './breaches.ts';
import { modules } from './modules.ts';

describe('modules', () => {
  for (const [text, message] of [
    ['export default function f() {}', 'default export'],
    ['const a = 1;\nexport { a as default };', 'default export'],
    ['try { f(); } catch {}', 'empty catch'],
    ['try { f(); } catch (error) { /* never mind */ }', 'empty catch'],
    ['f().catch(() => {});', 'empty catch'],
    ["export * from './b.ts';", 'only re-exports'],
    ["export { b } from './b.ts';\nexport type { C } from './c.ts';", 'only re-exports'],
    ["import { b } from './b.ts';\nexport { b };", 'only re-exports'],
    ['const = 1;', 'syntax: Unexpected token'],
  ] as const) {
    it(`refuse ${text}`, () => {
      const found = breaches(modules, { 'a.ts': text });
      assert.equal(found.length, 1);
      assert.match(found[0]!, new RegExp(`^a.ts:[12] ${message}`));
    });
  }

  for (const text of [
    "import { b } from './b.ts';\nexport const c = b();\nexport { d } from './d.ts';",
    "import { b } from './b.ts';\nb();",
    'try { f(); } catch (error) { report(error); }',
    'f().catch((error) => report(error));',
  ]) {
    it(`allow ${text}`, () => assert.deepEqual(breaches(modules, { 'a.ts': text }), []));
  }
});
