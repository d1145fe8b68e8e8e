import { type Finding, isTest, type Project } from './project.ts';
import type { PlacedNode } from './source.ts';

/** What reaches outside the program or differs from run to run. */
const IMPURE = new Set([
  ...['Date', 'performance', 'Temporal', 'process', 'fetch', 'WebSocket', 'console', 'crypto'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Buffer', 'globalThis'],
]);

/** `shared/` takes time, chance and the outside world as arguments. */
export function* purity(project: Project): Generator<Finding> {
  for (const { path, nodes, lineAt } of project.sources) {
    if (!path.startsWith('shared/') || isTest(path)) continue;
    for (const placed of nodes) {
      const name = impureName(placed);
      if (name === undefined) continue;
      const message = `shared/ is pure and must not use ${name}; take what it gives as an argument`;
      yield { path, line: lineAt(placed.node.start), message };
    }
  }
}

function impureName({ node, parent, key }: PlacedNode): string | undefined {
  if (node.type !== 'Identifier' || isFieldName({ node, parent, key })) return undefined;
  if (IMPURE.has(node.name)) return node.name;
  if (node.name !== 'Math') return undefined;
  const field = parent?.type === 'MemberExpression' ? parent.property : undefined;
  const harmless = field?.type === 'Identifier' && field.name !== 'random';
  return harmless ? undefined : 'Math.random';
}

/** Whether the identifier only names a field of an object or type. */
function isFieldName({ parent, key }: PlacedNode): boolean {
  if (parent === undefined) return false;
  if (parent.type === 'TSQualifiedName') return key === 'right';
  const computed = 'computed' in parent && parent.computed;
  return !computed && (key === 'key' || key === 'property');
}
