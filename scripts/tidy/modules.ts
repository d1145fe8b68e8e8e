import type { Node } from 'oxc-parser';
import type { Finding, Project } from './project.ts';
import type { Source } from './source.ts';

/** What every module keeps from: default exports, being a barrel, swallowing errors. */
export function* modules(project: Project): Generator<Finding> {
  for (const source of project.sources) {
    const { path, nodes, lineAt, errors } = source;
    for (const { line, message } of errors) yield { path, line, message: `syntax: ${message}` };
    for (const { node } of nodes) {
      const message = wrongNode(node);
      if (message !== undefined) yield { path, line: lineAt(node.start), message };
    }
    if (isBarrel(source)) {
      yield { path, line: 1, message: 'only re-exports; import from the files themselves' };
    }
  }
}

function wrongNode(node: Node): string | undefined {
  if (exportsDefault(node)) return 'default export; give it a name';
  if (swallowsErrors(node)) return 'empty catch; handle the error, or let it pass';
  return undefined;
}

function exportsDefault(node: Node): boolean {
  if (node.type === 'ExportDefaultDeclaration') return true;
  if (node.type !== 'ExportSpecifier') return false;
  return node.exported.type === 'Identifier' && node.exported.name === 'default';
}

function swallowsErrors(node: Node): boolean {
  if (node.type === 'CatchClause') return node.body.body.length === 0;
  if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return false;
  const { property } = node.callee;
  const [handler] = node.arguments;
  return (
    property.type === 'Identifier' &&
    property.name === 'catch' &&
    handler?.type === 'ArrowFunctionExpression' &&
    handler.body.type === 'BlockStatement' &&
    handler.body.body.length === 0
  );
}

function isBarrel({ nodes }: Source): boolean {
  const statements = nodes.filter(({ parent }) => parent?.type === 'Program');
  const exported = statements.filter(
    ({ node }) =>
      node.type === 'ExportAllDeclaration' ||
      (node.type === 'ExportNamedDeclaration' && node.declaration === null),
  );
  const imported = statements.filter(({ node }) => node.type === 'ImportDeclaration');
  return exported.length > 0 && exported.length + imported.length === statements.length;
}
