import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { breaches } from './breaches.ts';
import { layers } from './layers.ts';

const importing = (from: string, specifier: string) =>
  breaches(layers, { [from]: `\nimport { a } from '${specifier}';\n` });

describe('layers', () => {
  for (const [from, specifier] of [
    ['shared/twin/a.ts', '#runtime/clock/clock.ts'],
    ['runtime/a.ts', '#edge-node/a.ts'],
    ['runtime/a.ts', '#scripts/a.ts'],
    ['device-agent/a.ts', '#edge-node/a.ts'],
    ['edge-node/a.ts', '#device-agent/a.ts'],
    ['edge-node/a.test.ts', '#device-agent/a.ts'],
    ['edge-node/twins/a.ts', '../../scripts/a.ts'],
  ] as const) {
    it(`refuse ${specifier} in ${from}`, () => {
      const [own, other] = [from, specifier.replace(/^#|^[./]+/, '')].map((p) => p.split('/')[0]);
      assert.deepEqual(importing(from, specifier), [`${from}:2 ${own}/ must not import ${other}/`]);
    });
  }

  for (const [from, specifier] of [
    ['runtime/a.ts', '#shared/a.ts'],
    ['device-agent/a.ts', '#runtime/a.ts'],
    ['edge-node/a/a.ts', '../b/b.ts'],
    ['scripts/a.ts', '#edge-node/a.ts'],
    ['shared/a.test.ts', '#runtime/onnx/a.ts'],
    ['shared/a.ts', '@noble/hashes/sha2.js'],
    ['shared/a.test.ts', 'fast-check'],
    ['shared/a.contract.ts', 'node:test'],
    ['runtime/onnx/a.ts', 'onnxruntime-node'],
    ['edge-node/broker/a.ts', 'aedes'],
    ['runtime/mqtt/a.ts', 'mqtt'],
  ] as const) {
    it(`allow ${specifier} in ${from}`, () => assert.deepEqual(importing(from, specifier), []));
  }

  for (const [from, specifier, message] of [
    ['shared/a.ts', 'node:crypto', 'shared/ is pure and must not import node:crypto'],
    ['shared/a.test.ts', 'node:crypto', 'shared/ is pure and must not import node:crypto'],
    ['shared/a.ts', 'fast-check', 'shared/ is pure and must not import fast-check'],
    ['shared/a.ts', 'zodiac', 'shared/ is pure and must not import zodiac'],
    ['device-agent/a.ts', 'onnxruntime-node', 'onnxruntime-node is known only to runtime/onnx/'],
    ['edge-node/a.ts', 'better-sqlite3', 'better-sqlite3 is known only to runtime/database/'],
    ['device-agent/a.ts', 'mqtt', 'mqtt is known only to runtime/mqtt/ and edge-node/broker/'],
    ['runtime/a.ts', '../shared/a.ts', '../shared/a.ts is in another top folder'],
  ] as const) {
    it(`refuse ${specifier} in ${from}`, () => {
      assert.deepEqual(importing(from, specifier), [`${from}:2 ${message}`]);
    });
  }

  for (const text of [
    "export { a } from '#edge-node/a.ts';",
    "export * from '#edge-node/a.ts';",
    "const a = await import('#edge-node/a.ts');",
    "type A = import('#edge-node/a.ts').A;",
    "import type { A } from '#edge-node/a.ts';",
    "const a = import.meta.resolve('#edge-node/a.ts');",
    "const a = new URL('../edge-node/a.ts', import.meta.url);",
  ]) {
    it(`see ${text}`, () => {
      assert.deepEqual(breaches(layers, { 'device-agent/a.ts': text }), [
        'device-agent/a.ts:1 device-agent/ must not import edge-node/',
      ]);
    });
  }
});
