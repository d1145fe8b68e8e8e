import { posix } from 'node:path';
import { type Node, parseSync, visitorKeys } from 'oxc-parser';
import type { TextFile } from './project.ts';

/** A node of the syntax tree and where it hangs: `parent[key]` is it, or holds it. */
export interface PlacedNode {
  readonly node: Node;
  readonly parent: Node | undefined;
  readonly key: string;
}

/** Another module or file that a source names. */
export interface Reference {
  /** As it is written: `./x.ts`, `#shared/x.ts`, `zod`. */
  readonly specifier: string;
  /** The path in the repository; undefined where it is a package. */
  readonly path: string | undefined;
  readonly line: number;
}

/** A parsed file of TypeScript or JavaScript. */
export interface Source extends TextFile {
  /** Every node, parents before children. */
  readonly nodes: readonly PlacedNode[];
  /** Imports, re-exports, `new URL(…, import.meta.url)` and `import.meta.resolve(…)`. */
  readonly references: readonly Reference[];
  /** What the parser could not read. */
  readonly errors: readonly { readonly line: number; readonly message: string }[];
  /** The line, from 1, of an offset in `text`. */
  lineAt(offset: number): number;
}

export function parseSource({ path, text }: TextFile): Source {
  const { program, errors } = parseSync(path, text);
  const lineAt = (offset: number) => text.slice(0, offset).split('\n').length;
  const nodes = [...placedNodes(program)];
  return {
    path,
    text,
    nodes,
    lineAt,
    references: nodes.flatMap(({ node }) => {
      const named = namedModule(node);
      if (named === undefined) return [];
      return { ...named, path: pathOf(path, named), line: lineAt(node.start) };
    }),
    errors: errors.map(({ message, labels }) => ({ message, line: lineAt(labels[0]?.start ?? 0) })),
  };
}

function* placedNodes(node: Node, parent?: Node, key = ''): Generator<PlacedNode> {
  yield { node, parent, key };
  const fields = node as unknown as Record<string, Node | (Node | null)[] | null | undefined>;
  for (const childKey of visitorKeys[node.type] ?? []) {
    const children = fields[childKey];
    for (const child of Array.isArray(children) ? children : [children]) {
      if (child) yield* placedNodes(child, node, childKey);
    }
  }
}

interface NamedModule {
  readonly specifier: string;
  /** Whether `x.ts` means `./x.ts`, as in a URL. */
  readonly bareIsPath: boolean;
}

function namedModule(node: Node): NamedModule | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'ExportNamedDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return literal(node.source, false);
    case 'NewExpression':
      if (node.callee.type !== 'Identifier' || node.callee.name !== 'URL') return undefined;
      return isImportMeta(node.arguments[1], 'url') ? literal(node.arguments[0], true) : undefined;
    case 'CallExpression':
      return isImportMeta(node.callee, 'resolve') ? literal(node.arguments[0], false) : undefined;
    default:
      return undefined;
  }
}

function literal(node: Node | null | undefined, bareIsPath: boolean): NamedModule | undefined {
  if (node?.type !== 'Literal' || typeof node.value !== 'string') return undefined;
  return { specifier: node.value, bareIsPath };
}

function isImportMeta(node: Node | undefined, property: string): boolean {
  return (
    node?.type === 'MemberExpression' &&
    node.object.type === 'MetaProperty' &&
    node.property.type === 'Identifier' &&
    node.property.name === property
  );
}

function pathOf(from: string, { specifier, bareIsPath }: NamedModule): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1);
  if (!bareIsPath && !specifier.startsWith('.')) return undefined;
  return posix.join(posix.dirname(from), specifier);
}
