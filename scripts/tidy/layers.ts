import { type Finding, isTest, type Project } from './project.ts';
import type { Reference } from './source.ts';

/** What each top-level folder may import from. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  shared: ['shared'],
  runtime: ['shared', 'runtime'],
  'device-agent': ['shared', 'runtime', 'device-agent'],
  'edge-node': ['shared', 'runtime', 'edge-node'],
  scripts: ['shared', 'runtime', 'device-agent', 'edge-node', 'scripts'],
};

const SHARED_PACKAGES = /^(?:zod|cborg|onnx-proto|sparkplug-payload|@noble\/[a-z]+)(?:\/|$)/;
const SHARED_TEST_PACKAGES = /^(?:node:(?:test|assert|fs|path)|fast-check)(?:\/|$)/;

/** Packages that stand behind a port: only the adapter's folder may know them. */
const BEHIND_A_PORT: Record<string, readonly string[]> = {
  'onnxruntime-node': ['runtime/onnx/'],
  'better-sqlite3': ['runtime/database/'],
  mqtt: ['runtime/mqtt/', 'edge-node/broker/'],
  aedes: ['runtime/mqtt/', 'edge-node/broker/'],
  'sparkplug-payload': ['shared/sparkplug/tahu-proto.ts'],
  libp2p: ['runtime/peers/'],
  '@libp2p': ['runtime/peers/'],
  '@multiformats/multiaddr': ['runtime/peers/'],
};

/** `shared <- runtime <- { device-agent, edge-node } <- scripts`, and how an import is written. */
export function* layers(project: Project): Generator<Finding> {
  for (const { path, references } of project.sources) {
    for (const reference of references) {
      const message = wrongPath(path, reference) ?? wrongPackage(path, reference);
      if (message !== undefined) yield { path, line: reference.line, message };
    }
  }
}

function wrongPath(from: string, { specifier, path }: Reference): string | undefined {
  if (path === undefined) return undefined;
  const own = topFolder(from);
  const other = topFolder(path);
  const allowed = MAY_IMPORT[own] ?? [own];
  const inTest = own === 'shared' && other === 'runtime' && isTest(from);
  if (!allowed.includes(other) && !inTest) {
    return `${own}/ must not import ${other}/; take it as an argument, or move what both need down`;
  }
  if (other !== own && specifier.startsWith('.')) {
    return `${specifier} is in another top folder; import it as #${path}`;
  }
  return undefined;
}

function wrongPackage(from: string, { specifier, path }: Reference): string | undefined {
  if (path !== undefined) return undefined;
  const folders = Object.entries(BEHIND_A_PORT).find(([name]) => isPackage(specifier, name))?.[1];
  if (folders?.every((folder) => !from.startsWith(folder))) {
    return `${specifier} is known only to ${folders.join(' and ')}; use the port there`;
  }
  if (topFolder(from) !== 'shared' || SHARED_PACKAGES.test(specifier)) return undefined;
  if (isTest(from) && SHARED_TEST_PACKAGES.test(specifier)) return undefined;
  return `shared/ is pure and must not import ${specifier}; move this to runtime/, or pass it in`;
}

function isPackage(specifier: string, name: string): boolean {
  return specifier === name || specifier.startsWith(`${name}/`);
}

function topFolder(path: string): string {
  return path.split('/', 1)[0]!;
}
